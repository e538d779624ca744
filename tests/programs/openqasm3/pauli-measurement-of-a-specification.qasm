OPENQASM 3.0;
include "stdgates.inc";
const int n = 4;
qubit[n] q;
bit[n] c;
bit[2 * n] spec = "11000110";
h q[1];
h q[2];
s q[2];
for int i in [0:n - 1] {
  if (spec[i] == 1 && spec[n + i] == 0) { h q[i]; }
  if (spec[i] == 1 && spec[n + i] == 1) { sdg q[i]; h q[i]; }
  c[i] = measure q[i];
}

// shows: Constant bits choose the basis of each qubit
// after: the language's examples (vqe)
// runs: 0000

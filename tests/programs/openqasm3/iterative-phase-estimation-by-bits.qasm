OPENQASM 3.0;
include "stdgates.inc";
const int n = 3;
qubit q;
qubit r;
bit[n] c;
uint[8] power = 4;
x r;
for int i in [0:n - 1] {
  reset q;
  h q;
  ctrl @ pow(power) @ p(3 * pi / 4) q, r;
  for int k in [0:i - 1] {
    if (c[k] == 1) p(-pi / 2 ** (i - k)) q;
  }
  h q;
  c[i] = measure q;
  power >>= 1;
}

// shows: The same with bits, and branches for the angles
// after: the language's examples (ipe)
// runs: 011

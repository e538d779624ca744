OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
for int i in [0:3] {
  if (i % 2 == 1) continue;
  if (i > 2) break;
  x q[i];
}
c = measure q;

// shows: Loops are left early
// after: qBraid's tests (loops)
// runs: 0101

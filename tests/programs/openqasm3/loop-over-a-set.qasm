OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
for int i in {0, 2} { rx(pi * (i + 1)) q[i]; }
c = measure q;

// shows: A loop over a set of numbers, with angles from the variable
// after: qBraid's tests (loops)
// runs: 0101

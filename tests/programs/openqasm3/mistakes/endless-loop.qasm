OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
while (true) { x q[0]; }

// shows: A loop whose condition never changes
// after: qBraid's tests (loops)
// refused at 5:1: write out more than 100,000 statements

OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[1] c;
bit[1] d;
int i = 3;
int j = 0;
c[0] = measure q[0];
if (c[0] == i) { x q[0]; } else if (c[0] == j) { x q[1]; } else { x q[0]; x q[1]; }
d[0] = measure q[1];

// shows: A measured bit is compared with whole numbers
// after: IBM's compiler tests (if-else)
// runs: 1 0

OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[2] c;
bit[1] out;
x q[0];
c[0] = measure q[0];
c[1] = measure q[1];
if (c[0] == 1 && !c[1]) x q[2];
if (c[0] && c[1] || c[1] == true) x q[2];
if (!(c[0] || c[1])) x q[2];
out[0] = measure q[2];

// shows: Conditions of several bits
// reads: out 1

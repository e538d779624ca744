OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[2] c;
bit[1] parity;
bit[1] out;
x q[0];
c[0] = measure q[0];
c[1] = measure q[1];
parity[0] = c[0] ^ c[1];
if (parity[0] != 0) x q[2];
out[0] = measure q[2];

// shows: The parity of measured bits is assigned and decides
// runs: 1 1 01

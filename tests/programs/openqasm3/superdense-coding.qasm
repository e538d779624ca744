OPENQASM 3.0;
include "stdgates.inc";
const bit[2] message = "10";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
if (message[0] == 1) x q[0];
if (message[1] == 1) z q[0];
cx q[0], q[1];
h q[0];
c[0] = measure q[1];
c[1] = measure q[0];

// shows: Two constant bits travel with one qubit
// reads: c 10

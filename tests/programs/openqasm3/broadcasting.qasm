OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
qubit[2] p0;
bit[2] c;
bit[2] d;
x q[0];
cx q[0], p0;
cx q, p0;
cx p0, q;
cx p0[1], q[1];
x q[0];
cx p0[1], q;
c = measure q;
d = measure p0;

// shows: Gates on registers, and one qubit with a register
// after: the tests of Qiskit's importer (broadcast)
// runs: 10 11

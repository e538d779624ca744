OPENQASM 3.0;
include "stdgates.inc";
gate rzz(t) a, b { rx(t) b; }
qubit[2] q;
bit[2] c;
rzz(pi) q[0], q[1];
c = measure q;

// shows: A gate of one's own, called like one of Qiskit's, means what it says
// runs: 10

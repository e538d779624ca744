OPENQASM 3.0;
include "stdgates.inc";
qubit[5] q;
bit[5] c;
x q[0];
ctrl @ x q[0], q[1];
negctrl @ x q[3], q[2];
ctrl(2) @ x q[1], q[2], q[3];
ctrl @ ctrl @ x q[1], q[2], q[4];
inv @ pow(2) @ s q[4];
negctrl(2) @ ctrl @ x q[3], q[4], q[0], q[1];
pow(3) @ x q[1];
pow(0.5) @ x q[0];
inv @ sx q[0];
c = measure q;

// shows: ctrl, negctrl, several controls, inverses and powers
// after: the tests of Qiskit's importer (modifiers)
// runs: 11101

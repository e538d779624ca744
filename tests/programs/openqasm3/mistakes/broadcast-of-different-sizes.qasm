OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
qubit[3] p0;
cx q, p0;

// shows: Registers of two and three qubits in one gate
// after: the tests of Qiskit's importer (broadcast)
// refused at 5:1: registers of different sizes (2 and 3)

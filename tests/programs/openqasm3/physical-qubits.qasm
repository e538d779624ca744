OPENQASM 3.0;
include "stdgates.inc";
bit[3] out;
x $0;
cx $0, $2;
out[0] = measure $0;
out[1] = measure $1;
out[2] = measure $2;

// shows: Qubits by their numbers on the chip
// after: the tests of Qiskit's importer (physical qubits)
// runs: 101

OPENQASM 3.0;
include "stdgates.inc";
qubit p;

// shows: A qubit called like a gate
// after: the tests of Qiskit's importer (names)
// refused at 3:1: 'p' is a gate of stdgates.inc already

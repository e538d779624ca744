OPENQASM 3.0;
include "stdgates.inc";
qubit q;
rx q;

// shows: A rotation without its angle
// after: the tests of Qiskit's importer (gates)
// refused at 4:1: 'rx' takes 1 angle, not 0

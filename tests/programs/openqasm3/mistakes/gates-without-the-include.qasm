OPENQASM 3.0;
qubit q;
h q;

// shows: A standard gate without its include
// after: the tests of Qiskit's importer (stdgates)
// refused at 3:1: write include "stdgates.inc"; at the top

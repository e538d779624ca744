OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
toffoli q[0], q[1], q[2];

// shows: A gate by its name in other languages
// refused at 4:1: 'toffoli' is called ccx in OpenQASM 3

OPENQASM 3.0;
include "stdgates.inc";
qubit q[3];

// shows: The size of a register after its name
// refused at 3:8: write qubit[3] q;

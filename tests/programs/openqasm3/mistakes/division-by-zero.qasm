OPENQASM 3.0;
include "stdgates.inc";
const int bad = 1 / 0;
qubit q;

// shows: A division by zero in a constant
// refused at 3:17: division by zero

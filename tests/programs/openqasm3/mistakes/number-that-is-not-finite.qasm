OPENQASM 3.0;
include "stdgates.inc";
qubit q;
rx(1e999) q;

// shows: An angle that is too large
// refused at 4:4: this number is not finite

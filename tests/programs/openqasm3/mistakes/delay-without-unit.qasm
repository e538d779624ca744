OPENQASM 3.0;
include "stdgates.inc";
qubit q;
delay[100] q;

// shows: A delay without a unit
// refused at 4:6: a duration has a unit

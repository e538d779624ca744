OPENQASM 3.0;
include "stdgates.inc";
input int n;
qubit[2] q;

// shows: A number that is not an angle as input
// refused at 3:1: an input is a float or an angle

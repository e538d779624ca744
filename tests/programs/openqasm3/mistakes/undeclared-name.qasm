OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0]; x qq[1];

// shows: A name with a slip
// refused at 5:11: 'qq' is not declared

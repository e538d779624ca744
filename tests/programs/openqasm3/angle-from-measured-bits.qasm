OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
c = measure q;
rx(pi * c[0]) q[1];

// shows: A rotation by a measured angle
// refused at 6:9: known only while the program runs

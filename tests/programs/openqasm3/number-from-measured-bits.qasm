OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
c = measure q;
int[2] n = int[2](c) + 1;

// shows: A number made of measured bits
// refused at 6:12: a measured bit is known only while the program runs

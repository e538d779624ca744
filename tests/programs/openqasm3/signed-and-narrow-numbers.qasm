OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
x q[2];
c = measure q;
int[3] signed = c;
uint[2] low = c;
int[8] wide = c;
bit[4] seen;
seen[0] = signed < -3;
seen[1] = low == 0;
seen[2] = wide > 3.5;
seen[3] = int[3](c) != -4;

// shows: Whole numbers of measured bits keep their sign and width
// reads: seen 0111

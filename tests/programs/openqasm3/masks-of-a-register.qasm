OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[3] c;
bit[1] out;
x q[0];
x q[2];
c = measure q[0:2];
if ((c & 5) == 5) x q[3];
if ((c | "010") == "101") x q[3];
if (c < 5) x q[3];
if (c[0:1] != "01") x q[3];
out[0] = measure q[3];

// shows: Bits of a register are masked and compared
// reads: out 1

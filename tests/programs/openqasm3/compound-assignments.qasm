OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
uint[4] mask = 3;
mask <<= 1;
mask |= 8;
mask ^= 5;
mask &= 11;
mask += 16;
for int i in [0:3] { if (mask[i]) x q[i]; }
c = measure q;

// shows: All the ways to change a number
// reads: c 1011

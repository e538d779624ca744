OPENQASM 3.0;
include "stdgates.inc";
bit[3] c = "001";
bit[2] d = 0;
qubit[3] q;
x q[2];
c[2] = measure q[2];
d = "11";

// shows: Bits begin with a value
// runs: 11 101

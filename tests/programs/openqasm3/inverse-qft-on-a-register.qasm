OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
x q[2];
h q;
p(-pi) q[1];
p(-pi / 2) q[2];
p(pi) q[1];
p(pi / 2) q[2];
h q[0];
c[0] = measure q[0];
if (int[3](c) == 1) { p(-pi / 2) q[1]; }
x q[0];
h q[1];
c[1] = measure q[1];
if (int[3](c) == 1) { p(-pi / 4) q[2]; }
if (uint[3](c) == 2) { p(-pi / 2) q[2]; }
if (c >= 3) x q[0];
h q[2];
measure q[2] -> c[2];
if (c[2] == 1) { reset q[2]; c[2] = measure q[2]; c[0] = 1; } else { c[0] = 0; }

// shows: Branches on a register as a whole number
// after: the language's examples (inverseqft1)
// runs: 001

OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[1] c0;
bit[1] c1;
bit[1] c2;
h q;
p(3 * pi) q[0];
p(3 * pi / 2) q[1];
p(3 * pi / 4) q[2];
barrier q;
h q[0];
c0[0] = measure q[0];
if (c0[0] == 1) { p(-pi / 2) q[1]; }
h q[1];
c1[0] = measure q[1];
if (c0[0]) p(-pi / 4) q[2];
if (c1[0] == true) p(-pi / 2) q[2];
h q[2];
measure q[2] -> c2[0];

// shows: A phase is read bit by bit, each corrected by those before
// after: the language's examples (inverseqft2)
// runs: 0 1 1

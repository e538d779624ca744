OPENQASM 3.0;
include "stdgates.inc";
def ymeasure(qubit q) -> bit { sdg q; h q; return measure q; }
qubit[2] q;
bit[1] temp;
bit[1] out;
h q[0];
sdg q[0];
temp[0] = ymeasure(q[0]);
if (temp[0] == 1) { ry(pi / 2) q[1]; }
if (temp[0] == 0) ry(-pi / 2) q[1];
ry(pi / 2) q[1];
out[0] = measure q[1];

// shows: A subroutine measures in another basis; its result decides
// after: the language's examples (msd)
// reads: out 1

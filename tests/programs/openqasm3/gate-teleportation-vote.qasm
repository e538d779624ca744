OPENQASM 3.0;
include "stdgates.inc";
qubit[3] a;
bit[1] r;
bit[3] seen;
def vote(bit[3] c) -> bit { return (c[0] && c[1]) || (c[0] && c[2]) || (c[1] && c[2]); }
x a[0];
x a[2];
seen = measure a;
r[0] = vote(seen);

// shows: A majority of measured bits decides; subroutines return a bit
// after: the language's examples (gateteleport)
// reads: r 1

OPENQASM 3.0;
include "stdgates.inc";
def flip_and_look(qubit q) -> bit { x q; bit b = measure q; return b; }
qubit[2] q;
bit[1] c;
c[0] = flip_and_look(q[0]);
flip_and_look(q[1]);

// shows: Subroutines measure and return
// reads: c 1

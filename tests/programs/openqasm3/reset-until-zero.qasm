OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit[1] c;
h q;
c[0] = measure q;
while (c[0] == 1) { h q; c[0] = measure q; }

// shows: A loop over a bit that is measured anew
// reads: c 0

OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit[1] c;
while (!c[0]) { h q; c[0] = measure q; }

// shows: A loop that holds the only measurement, at the end
// reads: c 1

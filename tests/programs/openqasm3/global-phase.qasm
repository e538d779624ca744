OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit[1] c;
gphase(0.7);
h q;
ctrl @ gphase(pi) q;
h q;
c[0] = measure q;

// shows: A phase alone is seen by nobody, a controlled one is
// reads: c 1

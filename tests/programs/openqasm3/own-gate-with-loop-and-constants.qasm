OPENQASM 3.0;
include "stdgates.inc";
const float step = pi / 4;
gate turn a { rx(step) a; rx(step) a; rx(step) a; rx(step) a; }
qubit q;
bit[1] c;
turn q;
c[0] = measure q;

// shows: A gate that uses a constant of the program
// reads: c 1

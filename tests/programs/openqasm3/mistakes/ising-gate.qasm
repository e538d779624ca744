OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
rzz(0.5) q[0], q[1];

// shows: A gate that is not in the standard library
// refused at 4:1: define it: gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }

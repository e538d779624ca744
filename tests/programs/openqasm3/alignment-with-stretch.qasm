OPENQASM 3.0;
include "stdgates.inc";
stretch g;
qubit[3] q;
barrier q;
cx q[0], q[1];
delay[g] q[2];

// shows: A stretch needs a schedule
// after: the language's examples (alignment)
// refused at 3:1: stretch needs a schedule

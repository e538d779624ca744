OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
int before = c;
c = measure q;
if (before == 1) x q[0];

// shows: A number stands for bits that are measured anew
// refused at 7:5: 'before' stands for bits that may have changed since

OPENQASM 3.0;
include "stdgates.inc";
const duration stride = 10ns;
const int points = 3;
qubit[2] q;
bit[2] c;
reset q;
x q;
for int k in [1:points] { delay[k * stride] q; }
delay[500ns + 1us] q[0];
c = measure q;

// shows: Delays of a multiple of a constant
// after: the language's examples (t1)
// runs: 11

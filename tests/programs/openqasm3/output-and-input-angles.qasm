OPENQASM 3.0;
include "stdgates.inc";
output bit[2] c;
qubit[2] q;
x q[1];
c = measure q;

// shows: An output is what is returned
// runs: 10

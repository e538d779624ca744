OPENQASM 3.0;
include "stdgates.inc";
const int n = 5;
qubit[n] q;
bit[n] c;
h q[0];
for int i in [1:n - 1] { cx q[i - 1], q[i]; }
c = measure q;

// shows: A chain of gates over a register
// reads: c 00000 0.5, 11111 0.5

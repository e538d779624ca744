OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit[1] c;
for int i in [1:5] { x q; }
c[0] = measure q;

// shows: A loop whose variable is not used stays a loop
// reads: c 1

OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
int i = 0;
while (i < 3) { x q[i]; i += 1; }
c = measure q;

// shows: A loop that counts
// after: qBraid's tests (loops)
// runs: 0111

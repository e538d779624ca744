OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
for int i in [0:3] { cx q[i], q[i + 1]; }

// shows: A loop runs one past the register
// after: qBraid's tests (loops)
// refused at 5:33: index 4 is out of range: there are 4, from 0 to 3

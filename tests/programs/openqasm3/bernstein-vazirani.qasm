OPENQASM 3.0;
include "stdgates.inc";
const bit[5] secret = "10110";
qubit[5] q;
qubit target;
bit[5] c;
x target;
h target;
h q;
for int i in [0:4] { if (secret[i]) { cx q[i], target; } }
h q;
c = measure q;

// shows: Constant bits are the secret of an oracle
// reads: c 10110

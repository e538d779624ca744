OPENQASM 3.0;
include "stdgates.inc";
array[int[8], 4] where = {3, 2, 1, 0};
array[float[32], 2, 2] angle_of = {{0.5, 0.5}, {1.0, 2.0}};
uint[8] a = where[1];
where[a - 1] = a;
angle_of[1, 0] = pi;
const uint[32] size = sizeof(where);
qubit[size] q;
bit[size] c;
for int k in {1, 2} { x q[where[k] - 1 + k / 2 - 1]; }
rx(angle_of[1][0]) q[1];
x q[2];
c = measure q;

// shows: Constant arrays are declared, changed and indexed
// after: the language's examples (arrays)
// runs: 0110

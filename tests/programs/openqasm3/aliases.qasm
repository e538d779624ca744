OPENQASM 3.0;
include "stdgates.inc";
qubit[3] a;
qubit[2] b;
bit[5] c;
let all = a ++ b;
let ends = all[{0, -1}];
let middle = all[1:-2];
let odd = all[0:2:-1];
x ends;
x middle;
x odd[1];
x all[-2];
x all[3];
c = measure all;

// shows: Slices, sets, joined registers and negative indices
// after: qBraid's tests (aliases)
// runs: 11011

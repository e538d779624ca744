OPENQASM 3.0;
include "stdgates.inc";
input float[64] a;
qubit[3] q;
bit[2] mid;
bit[3] out;
let pair = q[0:1];
gate my_gate(t) c, d { gphase(t / 2); ry(t) c; cx c, d; }
my_gate(a * 2) pair[0], q[{1, 2}][0];
mid[0] = measure q[0];
mid[1] = measure q[1];
while (mid == "00") {
  reset q[0];
  my_gate(a) q[0], q[1];
  mid[0] = measure q[0];
}
reset q;
out = measure q;

// shows: Inputs, aliases, modifiers, a loop on a register
// after: the tests of Qiskit's importer (readme)
// with: a = 0.5
// reads: out 000

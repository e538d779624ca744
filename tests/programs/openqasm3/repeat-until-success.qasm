OPENQASM 3.0;
include "stdgates.inc";
qubit target;
qubit[2] ancilla;
bit[2] flags = "11";
bit[1] result;
def attempt(qubit[2] anc, qubit psi) -> bit[2] {
  bit[2] b;
  reset anc;
  h anc;
  ccx anc[0], anc[1], psi;
  s psi;
  ccx anc[0], anc[1], psi;
  z psi;
  h anc;
  measure anc -> b;
  return b;
}
h target;
while (int[2](flags) != 0) {
  flags = attempt(ancilla, target);
}
rz(pi - arccos(3.0 / 5)) target;
h target;
result[0] = measure target;

// shows: A loop goes on until the measured flags say so
// after: the language's examples (rus)
// runs: 0 00

OPENQASM 3.0;
include "stdgates.inc";
const int n = 3;
const int turns = int(floor(pi / 4 * sqrt(2.0 ** n)));
qubit[n] q;
bit[n] c;
def oracle(qubit[n] r) { x r[0]; ctrl(2) @ z r[0], r[1], r[2]; x r[0]; }
def reflect(qubit[n] r) { h r; negctrl(2) @ z r[0], r[1], r[2]; h r; }
gate flip a { x a; z a; x a; }
h q;
for int k in [1:turns] {
  oracle(q);
  h q;
  x q;
  ctrl(2) @ z q[0], q[1], q[2];
  x q;
  h q;
}
c = measure q;

// shows: Iterations of an oracle and a reflection, with controlled gates
// reads: c 110 0.945, 000 0.008, 001 0.008, 010 0.008, 011 0.008, 100 0.008, 101 0.008, 111 0.008

OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
qubit[2] a;
bit[3] c;
bit[2] syn;
def syndrome(qubit[3] d, qubit[2] anc) -> bit[2] {
  bit[2] b;
  reset anc;
  cx d[0], anc[0];
  cx d[1], anc[0];
  cx d[1], anc[1];
  cx d[2], anc[1];
  b = measure anc;
  return b;
}
x q[0];
barrier q;
syn = syndrome(q, a);
if (int[2](syn) == 1) x q[0];
if (int[2](syn) == 2) x q[2];
if (int[2](syn) == 3) x q[1];
c = measure q;

// shows: A subroutine measures a syndrome, branches correct the error
// after: the language's examples (qec)
// runs: 01 000

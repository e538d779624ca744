OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] out;
int i = 15;
switch (i % 4) {
  case 1 { x q[0]; }
  case 3 { x q[1]; }
  default { x q[2]; }
}
out = measure q;

// shows: A number known before the program runs chooses the case
// after: IBM's compiler tests (switch)
// runs: 010

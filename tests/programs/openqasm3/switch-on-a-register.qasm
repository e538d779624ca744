OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[2] c;
bit[3] out;
x q[1];
c[1] = measure q[1];
reset q[1];
switch (uint[2](c)) {
  case 0, 1 { x q[0]; }
  case 2 { x q[2]; }
  default { x q[1]; }
}
out = measure q;

// shows: A register chooses the case
// after: IBM's compiler tests (switch)
// runs: 100 10

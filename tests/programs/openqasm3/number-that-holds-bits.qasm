OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
bit[1] out;
int chosen;
x q[0];
c[0] = measure q[0];
chosen = c;
switch (chosen) {
  case 1 { x q[1]; }
  default { }
}
out[0] = measure q[1];

// shows: A whole number stands for a register, as Qiskit writes a switch
// after: Qiskit's exporter (switch)
// reads: out 1

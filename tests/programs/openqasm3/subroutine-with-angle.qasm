OPENQASM 3.0;
include "stdgates.inc";
def turn(qubit q, float[32] angle_, int times) {
  for int k in [1:times] { rx(angle_ / times) q; }
}
qubit q;
bit[1] c;
turn(q, pi, 4);
c[0] = measure q;

// shows: A subroutine with a qubit and a number
// after: qBraid's tests (subroutines)
// runs: 1

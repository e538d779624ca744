OPENQASM 3.0;
include "stdgates.inc";
const int n = 4;
const int layers = 2;
array[float[64], layers, n] theta = {{pi, 0, pi, 0}, {0, pi, 0, pi}};
def entangle(qubit[n] q) { for int i in [0:n - 2] { cz q[i], q[i + 1]; } }
def ansatz(qubit[n] q) {
  for int l in [0:layers - 1] {
    for int i in [0:n - 1] { ry(theta[l, i]) q[i]; }
    if (l != layers - 1) entangle(q);
  }
}
qubit[n] q;
bit[n] c;
ansatz(q);
c = measure q;

// shows: Layers of rotations and entanglers, from an array of angles
// after: the language's examples (vqe)
// runs: 1111

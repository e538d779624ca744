OPENQASM 3.0;
include "stdgates.inc";
def fibonacci(int n) -> int {
  if (n < 2) { return n; }
  return fibonacci(n - 1) + fibonacci(n - 2);
}
qubit[4] q;
bit[4] c;
x q[fibonacci(4)];
c = measure q;

// shows: A subroutine without qubits is computed before the program runs
// after: qBraid's tests (subroutines)
// runs: 1000

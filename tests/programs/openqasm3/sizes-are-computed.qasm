OPENQASM 3.0;
include "stdgates.inc";
bit[2 * 4 - 5] c;
qubit[8 / 2 - 1] q;
const uint k = popcount(7) + mod(9, 4);
bit[k] d;
x q;
c = measure q;
d[0] = measure q[0];

// shows: Registers with computed sizes
// after: the tests of Qiskit's importer (sizes)
// runs: 0001 111

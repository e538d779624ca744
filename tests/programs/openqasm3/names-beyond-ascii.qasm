OPENQASM 3.0;
include "stdgates.inc";
const float θ = τ / 2;
qubit[2] ψ;
bit[2] _c;
rx(θ) ψ;
_c = measure ψ;

// shows: Registers and angles in Greek
// after: the tests of Qiskit's importer (names)
// runs: 11

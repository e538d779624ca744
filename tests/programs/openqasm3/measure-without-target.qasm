OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
x q;
measure q;

// shows: A measurement that names no bits
// after: Amazon Braket's documentation
// runs: 11

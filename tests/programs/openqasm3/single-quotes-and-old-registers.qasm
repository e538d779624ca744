include 'stdgates.inc';
qreg q[3];
creg c[3];
x q[0];
cx q[0], q[1];
measure q -> c;

// shows: An include in single quotes, qreg and creg
// after: the tests of Qiskit's importer (declarations)
// runs: 011

OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
cphaseshift(pi / 4) q[0], q[1];

// shows: A gate by the name that Amazon Braket uses
// after: Amazon Braket's documentation
// refused at 4:1: 'cphaseshift' is called cp in OpenQASM 3

OPENQASM 3.0;
include "stdgates.inc";
qubit q;
rx(1/2) q;

// shows: A fraction of whole numbers as an angle
// refused at 4:4: 1/2 between whole numbers is 0 in OpenQASM 3: write 1.0/2

OPENQASM 3.0;
include "stdgates.inc";
extern get_parameter(uint[16]) -> angle[16];
qubit q;
ry(get_parameter(0)) q;

// shows: A function outside of the program
// after: the language's examples (vqe)
// refused at 3:1: extern functions are not available

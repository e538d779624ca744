OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
for i in [0:2] { h q[i]; }

// shows: A loop variable without its type
// refused at 4:5: write the variable's type: for uint i in

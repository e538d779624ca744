OPENQASM 3.0;
include "stdgates.inc";
complex[float[64]] z0 = 1.0 + 2.0im;
qubit q;

// shows: A complex variable
// refused at 3:31: a complex number cannot be used here

OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit[1] success;
int[32] index = 0;
h q;
success[0] = measure q;
if (success) { index += 2; }

// shows: A number that depends on a measurement
// after: the language's examples (msd)
// refused at 8:16: 'index' is a number, which cannot change under a measured condition

OPENQASM 3.0;
include "stdgates.inc";
def forever(qubit q) { h q; forever(q); }
qubit q;
forever(q);

// shows: A subroutine that never ends
// after: qBraid's tests (subroutines)
// refused at 3:29: subroutines call one another more than 64 deep

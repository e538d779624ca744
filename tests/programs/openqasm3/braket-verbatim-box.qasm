OPENQASM 3.0;
include "stdgates.inc";
#pragma braket verbatim
box { rx(0.314) $0; }

// shows: A pragma before a box
// after: Amazon Braket's documentation
// refused at 3:1: pragmas are not understood

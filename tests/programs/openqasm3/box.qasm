OPENQASM 3.0;
include "stdgates.inc";
bit[2] c;
box { rx(pi) $0; cx $0, $1; }
c[0] = measure $0;
c[1] = measure $1;

// shows: Operations in a box
// after: Amazon Braket's documentation
// runs: 11

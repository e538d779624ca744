OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit[1] c;
x q;
c[0] = measure q;
end;
x q;
c[0] = measure q;

// shows: What stands after end does not run
// runs: 1

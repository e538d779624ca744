OPENQASM 3.0;
include "stdgates.inc";
qubit q;
duration half = 0.5 * durationof({x q;});
delay[half] q;

// shows: The length of a gate is not known here
// after: the language's examples (dd)
// refused at 4:23: durationof cannot be used here

OPENQASM 3.0;
include "stdgates.inc";
input float wait;
qubit[2] q;
bit[2] c;
const duration pulse = 2 * (20ns + 0.1us);
const float steps = 1us / pulse;
duration idle = (wait) * 1s;
x q[0];
delay[idle + pulse / 2] q[0];
delay[(1 - wait) * 16us] q[1];
if (pulse < 1us) x q[1];
if (steps > 5) x q[0];
c = measure q;

// shows: Durations computed from an input, from one another, and compared
// with: wait=0.25
// runs: 11

OPENQASM 3.0;
include "stdgates.inc";
qubit q;
bit[1] won;
bit[4] c;
while (!won[0]) {
  h q;
  won[0] = measure q;
  if (won[0]) { c[0] = 1; break; }
  h q;
  won[0] = measure q;
  if (won[0]) { c[1] = 1; break; }
  h q;
  won[0] = measure q;
  if (won[0]) { c[2] = 1; break; }
  h q;
  won[0] = measure q;
  c[3] = 1;
  break;
}

// shows: A loop with a measured break
// reads: c 0001 0.5, 0010 0.25, 0100 0.125, 1000 0.125

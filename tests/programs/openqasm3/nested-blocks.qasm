OPENQASM 3.0;
include "stdgates.inc";
qubit[3] q;
bit[3] c;
int k = 0;
{
  int k = 2;
  x q[k];
}
x q[k];
c = measure q;

// shows: Names inside of blocks hide those outside
// reads: c 101

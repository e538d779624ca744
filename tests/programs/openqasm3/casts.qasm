OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
const bit[4] pattern = bit[4](5);
const int[8] number = int[8](pattern);
const float half = float(number) / 10;
for int i in [0:3] { if (bool(pattern[i]) && number == 5) rx(2 * pi * half) q[i]; }
c = measure q;

// shows: Numbers become bits and bits become numbers
// reads: c 0101

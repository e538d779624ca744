OPENQASM 3.0;
include "stdgates.inc";
const int[32] n = 3;
qubit q;
qubit r;
angle[n] c = 0;
uint[n] power = 1;
for uint i in [0:n - 1] {
  reset q;
  h q;
  c[0] = measure q;
  power <<= 1;
}

// shows: The angle is shifted by each measured bit
// after: the language's examples (ipe)
// refused at 11:3: a measurement goes into bits

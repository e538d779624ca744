OPENQASM 3.0;
include "stdgates.inc";
const int[32] pairs = 2;
def bell(qubit[2] pair) { reset pair; h pair[0]; cx pair[0], pair[1]; }
qubit message;
qubit[2 * pairs] q;
bit[1] result;
ry(pi / 3) message;
for uint i in [0:pairs - 1] {
  let pair = q[{2 * i, 2 * i + 1}];
  bit[2] got;
  bell(pair);
  cx message, pair[0];
  h message;
  got[0] = measure message;
  got[1] = measure pair[0];
  if (got[1] == 1) x pair[1];
  if (got[0] == 1) z pair[1];
  swap message, pair[1];
}
ry(-pi / 3) message;
result[0] = measure message;

// shows: A state goes from pair to pair; aliases and bits are declared in the loop
// after: the language's examples (varteleport)
// reads: result 0

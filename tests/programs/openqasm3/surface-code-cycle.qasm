OPENQASM 3.0;
include "stdgates.inc";
const int d = 3;
const int n = d ** 2;
qubit[n] data;
qubit[(d - 1) ** 2] ancilla;
bit[(d - 1) ** 2] layer;
bit[n] final;
def cycle(qubit[n] dat, qubit[(d - 1) ** 2] anc) -> bit[(d - 1) ** 2] {
  reset anc;
  for int row in [0:d - 2] {
    for int col in [0:d - 2] {
      int k = row * (d - 1) + col;
      if ((row + col) % 2 == 0) {
        for int step in {0, 1, d, d + 1} { cx dat[row * d + col + step], anc[k]; }
      }
    }
  }
  return measure anc;
}
layer = cycle(data, ancilla);
final = measure data;

// shows: Indices are computed by rows and columns
// after: the language's examples (scqec)
// runs: 000000000 0000

OPENQASM 3.0;
include "stdgates.inc";
const int n = 4;
qubit[n] q;
bit[n] c;
def qft(qubit[n] r, int sign) {
  for int i in [n - 1:-1:0] {
    h r[i];
    for int k in [i - 1:-1:0] { cp(sign * pi / 2 ** (i - k)) r[k], r[i]; }
  }
}
gate iqft4 a, b, c_, d {
  h a;
  cp(-pi / 2) a, b; h b;
  cp(-pi / 4) a, c_; cp(-pi / 2) b, c_; h c_;
  cp(-pi / 8) a, d; cp(-pi / 4) b, d; cp(-pi / 2) c_, d; h d;
}
x q[1];
x q[2];
qft(q, 1);
iqft4 q[0], q[1], q[2], q[3];
c = measure q;

// shows: A transform and its inverse, with angles from two loop variables
// reads: c 0110

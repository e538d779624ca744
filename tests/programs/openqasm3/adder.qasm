OPENQASM 3.0;
include "stdgates.inc";
uint[4] left = 6;
uint[4] right = 15;
qubit carry;
qubit[4] a;
qubit[4] b;
qubit over;
bit[5] sum;
gate maj x0, y0, z0 { cx z0, y0; cx z0, x0; ccx x0, y0, z0; }
gate uma x0, y0, z0 { ccx x0, y0, z0; cx z0, x0; cx x0, y0; }
for uint i in [0:3] {
  if (bool(left[i])) x a[i];
  if (right[i] == 1) { x b[i]; }
}
maj carry, b[0], a[0];
for uint i in [0:2] { maj a[i], b[i + 1], a[i + 1]; }
cx a[3], over;
for uint i in [2:-1:0] { uma a[i], b[i + 1], a[i + 1]; }
uma carry, b[0], a[0];
sum[0:3] = measure b;
sum[4] = measure over;

// shows: Two numbers are added by a ripple-carry circuit; loops run over the bits of constants
// after: the language's examples (adder)
// runs: 10101

OPENQASM 3.0;
gate cnot a, b { ctrl @ U(π, 0, π) a, b; }
gate cphase2(θ) a, b {
  U(0, 0, θ / 2) a;
  cnot a, b;
  U(0, 0, -θ / 2) b;
  cnot a, b;
  U(0, 0, θ / 2) b;
}
qubit[2] q;
bit[2] c;
U(π / 2, 0, π) q;
cphase2(π / 2) q[0], q[1];
c = measure q;

// shows: A gate with a parameter, before stdgates are known
// after: the language's examples (cphase)
// runs: 00 0.25, 01 0.25, 10 0.25, 11 0.25

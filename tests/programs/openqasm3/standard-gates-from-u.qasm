OPENQASM 3.0;
gate p(λ) a { ctrl @ gphase(λ) a; }
gate x a { U(π, 0, π) a; }
gate z a { p(π) a; }
gate s a { pow(1/2) @ z a; }
gate sx a { pow(1/2) @ x a; }
gate h a { U(π/2, 0, π) a; }
gate cx a, b { ctrl @ x a, b; }
gate swap a, b { cx a, b; cx b, a; cx a, b; }
gate ccx a, b, c { ctrl @ ctrl @ x a, b, c; }
qubit[3] q;
bit[3] c;
sx q[0];
sx q[0];
h q[1];
s q[1];
s q[1];
h q[1];
ccx q[0], q[1], q[2];
swap q[0], q[2];
cx q[1], q[0];
c = measure q;

// shows: The standard gates, written out by U, gphase and modifiers
// after: the language's stdgates.inc
// runs: 110

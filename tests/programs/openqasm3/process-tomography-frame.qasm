include "stdgates.inc";
gate pre q { }
gate post q { }
qubit q;
bit[1] c;
reset q;
pre q;
barrier q;
h q;
barrier q;
post q;
c[0] = measure q;

// shows: Empty gates before and after, no version line
// after: the language's examples (qpt)
// runs: 0 0.5, 1 0.5

OPENQASM 3.0;
include "stdgates.inc";
defcalgrammar "openpulse";
defcal x $0 { play(drive($0), gaussian(100, 30, 5)); }
x $0;

// shows: A gate given as a pulse
// after: the language's examples (defcal)
// refused at 3:1: defcalgrammar is not supported

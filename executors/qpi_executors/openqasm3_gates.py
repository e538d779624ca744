"""Gates that OpenQASM 3 texts use by other names, or without the include: what to write instead."""

from __future__ import annotations

from difflib import get_close_matches

from qiskit_qasm3_import.converter import _STDGATES

STANDARD = frozenset(_STDGATES)
CALLED = {
    "toffoli": "ccx", "ccnot": "ccx", "fredkin": "cswap", "i": "id", "u": "U",
    "phaseshift": "p", "cphaseshift": "cp", "v": "sx", "not": "x", "csw": "cswap", "cu1": "cp", "r1": "p",
}  # fmt: skip
WRITTEN = {
    "si": "inv @ s", "ti": "inv @ t", "vi": "inv @ sx", "sxdg": "inv @ sx", "csx": "ctrl @ sx", "cs": "ctrl @ s",
    "csdg": "ctrl @ inv @ s", "ccz": "ctrl(2) @ z", "c3x": "ctrl(3) @ x", "c4x": "ctrl(4) @ x", "mcx": "ctrl(n) @ x",
    "cu3": "ctrl @ u3", "cv": "ctrl @ sx",
}  # fmt: skip
DEFINED = {
    "rzz": "gate rzz(t) a, b { cx a, b; rz(t) b; cx a, b; }",
    "zz": "gate zz(t) a, b { cx a, b; rz(t) b; cx a, b; }",
    "rxx": "gate rxx(t) a, b { h a; h b; cx a, b; rz(t) b; cx a, b; h a; h b; }",
    "xx": "gate xx(t) a, b { h a; h b; cx a, b; rz(t) b; cx a, b; h a; h b; }",
    "ryy": "gate ryy(t) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(t) b; cx a, b; rx(-pi/2) a; rx(-pi/2) b; }",
    "yy": "gate yy(t) a, b { rx(pi/2) a; rx(pi/2) b; cx a, b; rz(t) b; cx a, b; rx(-pi/2) a; rx(-pi/2) b; }",
    "rzx": "gate rzx(t) a, b { h b; cx a, b; rz(t) b; cx a, b; h b; }",
    "r": "gate r(t, f) a { rz(-f) a; rx(t) a; rz(f) a; }",
    "iswap": "gate iswap a, b { s a; s b; h a; cx a, b; cx b, a; h b; }",
    "ecr": "gate ecr a, b { s a; sx b; cx a, b; x a; }",
    "dcx": "gate dcx a, b { cx a, b; cx b, a; }",
}  # fmt: skip


def advice(name: str, known: set[str], included: bool) -> str:
    """Why there is no such gate, and what to write."""
    if name in STANDARD and not included:
        return f"'{name}' is a standard gate: write include \"stdgates.inc\"; at the top."
    include = "" if included else ' (with include "stdgates.inc"; at the top)'
    lower = name.lower()
    if lower in CALLED:
        return f"'{name}' is called {CALLED[lower]} in OpenQASM 3{include}."
    if lower in WRITTEN:
        return f"'{name}' is written {WRITTEN[lower]} in OpenQASM 3{include}."
    if lower in DEFINED:
        return f"'{name}' is not a standard gate of OpenQASM 3; define it: {DEFINED[lower]}{include}"
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else " Define it with gate before its first use."
    return f"gate '{name}' is not defined.{hint}"

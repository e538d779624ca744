"""OpenQASM 3: what is computed before a program runs is right, and what cannot be is refused quickly and clearly."""

from __future__ import annotations

import math
import re
import time

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from qiskit import qasm3
from qiskit.quantum_info import Operator

from qpi_executors import openqasm3_conversion, run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.mock import MockExecutor
from qpi_executors.openqasm3_gates import CALLED, DEFINED, WRITTEN
from qpi_executors.openqasm3_values import BadValueError, binary, call, unary, wrapped
from qpi_executors.own_gates import TAKEN
from qpi_executors.programs import parse
from qpi_jupyter.core.errors import ProgramError
from tests.circuits import qpy_program, random_circuit, text_program
from tests.openqasm3_programs import FOLDER, examples

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[4] q;\nbit[4] c;\n'
FOREIGN = re.compile(
    r"\bAST\b|Error|Traceback|\bNone\b|Clbit|Qubit\(|<\w+[ .]|symbol table|object has no|__|expr\.|qasm3_import"
)
"""Words of libraries, which no message has."""


@pytest.fixture(scope="module")
def aer():
    return AerExecutor()


def refusal(text: str) -> ProgramError:
    with pytest.raises(ProgramError) as caught:
        parse(text_program(text))
    return caught.value


def lines(body: str) -> list[tuple[str, list[int], list[float]]]:
    """The circuit of a body: names, qubits and angles."""
    circuit = parse(text_program(HEAD + body))[0].circuit
    return [(one.name, [circuit.find_bit(bit).index for bit in one.qubits], one.params) for one in circuit.data]


# --- numbers ------------------------------------------------------------------------------------------------------

INTS = st.integers(-200, 200)


@given(lhs=INTS, rhs=INTS, op=st.sampled_from(["+", "-", "*", "/", "%", "&", "|", "^", "<", "<=", "==", "!=", ">"]))
def test_whole_numbers_compute_as_in_c(lhs, rhs, op):
    assume(rhs or op not in "/%")
    wanted = {"/": lambda: int(lhs / rhs), "%": lambda: int(math.fmod(lhs, rhs))}.get(
        op, lambda: eval(f"{lhs} {op} {rhs}")
    )
    assert binary(op, lhs, rhs) == wanted()


@given(value=st.integers(-(2**40), 2**40), width=st.integers(1, 64))
def test_numbers_wrap_at_their_width(value, width):
    assert wrapped(value, width, False) == value % 2**width
    signed = wrapped(value, width, True)
    assert -(2 ** (width - 1)) <= signed < 2 ** (width - 1)
    assert (signed - value) % 2**width == 0
    assert unary("~", value % 2**width, width) == (~value) % 2**width


@given(
    op=st.sampled_from(["+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "&&", "||", "<", "=="]),
    lhs=st.one_of(st.integers(-(2**1023), 2**1023), st.floats(), st.booleans()),
    rhs=st.one_of(st.integers(-(2**1023), 2**1023), st.floats(), st.booleans()),
)
def test_no_number_is_endless_or_huge(op, lhs, rhs):
    assume(math.isfinite(lhs) if isinstance(lhs, float) else True)
    assume(math.isfinite(rhs) if isinstance(rhs, float) else True)
    try:
        result = binary(op, lhs, rhs)
    except BadValueError:
        return
    assert math.isfinite(result) if isinstance(result, float) else result.bit_length() <= 1024


@given(
    name=st.sampled_from(["sin", "log", "sqrt", "exp", "arccos", "floor", "popcount"]), value=st.floats(-1e300, 1e300)
)
def test_functions_are_defined_or_refused(name, value):
    try:
        result = call(name, [value])
    except BadValueError:
        return
    assert math.isfinite(result)


# --- loops and indices --------------------------------------------------------------------------------------------


@given(start=st.integers(-4, 3), end=st.integers(-4, 3), step=st.integers(-3, 3).filter(bool))
@settings(max_examples=40)
def test_a_loop_takes_both_ends_and_negative_indices_count_from_the_end(start, end, step):
    wanted = [k % 4 for k in range(start, end + (1 if step > 0 else -1), step)]
    assert lines(f"for int i in [{start}:{step}:{end}] {{ x q[i]; }}") == [("x", [k], []) for k in wanted]


@given(start=st.integers(-4, 3), end=st.integers(-4, 3), step=st.integers(-3, 3).filter(bool))
@settings(max_examples=40)
def test_a_range_as_an_index_takes_both_ends(start, end, step):
    wanted = list(range(start % 4, end % 4 + (1 if step > 0 else -1), step))
    assume(wanted)
    assert lines(f"x q[{start}:{step}:{end}];") == [("x", [k], []) for k in wanted]


# --- conditions ---------------------------------------------------------------------------------------------------


def conditions() -> st.SearchStrategy[tuple[str, str]]:
    """A condition on three measured bits c, in OpenQASM and in Python (where c is a whole number)."""
    bit = st.integers(0, 2).flatmap(
        lambda k: st.sampled_from([
            (f"c[{k}]", f"(c >> {k} & 1)"), (f"c[{k}] == 1", f"(c >> {k} & 1) == 1"), (f"!c[{k}]", f"not c >> {k} & 1"),
            (f"c[{k}] != true", f"(c >> {k} & 1) != 1"), (f"0 == c[{k}]", f"(c >> {k} & 1) == 0"),
        ])
    )  # fmt: skip
    register = st.tuples(st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), st.integers(-1, 9)).map(
        lambda one: (f"c {one[0]} {one[1]}", f"c {one[0]} {one[1]}")
    )
    part = st.integers(0, 3).map(lambda k: (f"c[1:2] == {k}", f"c >> 1 == {k}"))
    mask = st.tuples(st.sampled_from("&|^"), st.integers(0, 7)).map(
        lambda one: (f"(c {one[0]} {one[1]}) != 0", f"(c {one[0]} {one[1]}) != 0")
    )
    known = st.sampled_from([("n > 2", "True"), ("false", "False")])
    return st.recursive(
        st.one_of(bit, register, part, mask, known),
        lambda inner: st.tuples(inner, st.sampled_from([("&&", "and"), ("||", "or")]), inner).map(
            lambda one: (f"({one[0][0]}) {one[1][0]} ({one[2][0]})", f"(({one[0][1]}) {one[1][1]} ({one[2][1]}))")
        ) | inner.map(lambda one: (f"!({one[0]})", f"(not ({one[1]}))")),
        max_leaves=4,
    )  # fmt: skip


@given(condition=conditions(), value=st.integers(0, 7))
@settings(max_examples=25, deadline=None)
def test_a_condition_on_measured_bits_decides_as_it_says(aer, condition, value):
    text, python = condition
    body = (
        'OPENQASM 3.0; include "stdgates.inc"; const int n = 3; qubit[3] q; qubit last; bit[3] c; '
        "bit[1] out; bit[1] kept;"
        f"for int i in [0:2] {{ if (bool({value} >> i & 1)) x q[i]; }} c = measure q;"
        f"if ({text}) {{ x last; }} kept[0] = {text}; out[0] = measure last;"
    )
    (result,) = run_program(aer, text_program(body, shots=1))
    wanted = int(bool(eval(python, {"c": value})))
    assert result.qpi.counts() == {f"{wanted} {wanted} {value:03b}": 1}


SIGNED = [0, 1, 2, 3, -4, -3, -2, -1]
"""What three bits are as an int."""
DECIDED = [
    ("uint[3] m = n", "m == 7", lambda c: c == 7),
    ("uint[3] m = n", "m > 5", lambda c: c > 5),
    ("uint[3] m; m = n", "~m == 0", lambda c: c == 7),
    ("uint[2] m = n", "m == 3", lambda c: c & 3 == 3),
    ("int m = n", "m < 0", lambda c: c > 3),
    ("int m = d; m = n", "m == -1", lambda c: c == 7),
    ("int[2] m = n", "m == -1", lambda c: c & 3 == 3),
    ("int m = uint[3](n)", "m == 7", lambda c: c == 7),
    ("int m = uint[2](n)", "m == 3", lambda c: c & 3 == 3),
    ("uint[3] m = uint[2](c)", "m == 5", lambda c: False),
    ("uint[2] m = c; int k = m", "k == 1", lambda c: c & 3 == 1),
    ("bit e; e = c[0]; int[1] m = e", "m == -1", lambda c: c & 1),
    ("", "int[5](n) == -1", lambda c: c == 7),
    ("", "int(n) < 0", lambda c: c > 3),
    ("", "uint[3](n) > 4", lambda c: c > 4),
    ("", "int[2](n) == -2", lambda c: c & 3 == 2),
    ("", "int[3](c ^ d) < 0", lambda c: c ^ 5 > 3),
    ("", "int[3](c ^ d) == -1", lambda c: c == 2),
    ("", "uint[4](c ^ d) == 5", lambda c: c == 0),
    ("", "(c ^ d) == 2.5", lambda c: False),
    ("", "(c ^ d) != 2.5", lambda c: True),
    ("", "(c ^ 1) == d", lambda c: c == 4),
    ("", "(c[0] && c[1]) == 2", lambda c: False),
    ("", "int(c[0]) != 2", lambda c: True),
    ("", "~n == -1", lambda c: c == 0),
    ("", "~n < 0", lambda c: c < 4),
    ("", "(n | 1) == -3", lambda c: c in (4, 5)),
    ("", "(n & -2) < -1", lambda c: c > 3),
    ("", "(n & 3) == 1", lambda c: c & 3 == 1),
    ("int[3] m = d", "n == m", lambda c: c == 5),
    ("int[3] m = d", "n < m", lambda c: c == 4),
    ("int[3] m = d", "(n ^ m) < 0", lambda c: c < 4),
]  # fmt: skip


def test_a_number_of_measured_bits_has_the_width_and_sign_of_its_type(aer):
    """All eight values of three bits; an answer for each condition goes into a bit of its own."""
    body = ['OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c; bit[3] d;']
    body.append(f"bit[{len(DECIDED)}] out; h q; c = measure q; d = 5;")
    for k, (declared, condition, _) in enumerate(DECIDED):
        body.append(f"{{ int[3] n = c; {declared}; out[{k}] = {condition}; }}".replace("; ;", ";"))
    seen = run_program(aer, text_program("".join(body), shots=200))[0].qpi.counts()
    assert len(seen) == 8
    for key in seen:
        *_, out, _, bits = key.split()
        c = int(bits, 2)
        for (declared, condition, meaning), bit in zip(DECIDED, reversed(out), strict=True):
            assert int(bit) == bool(meaning(c)), (declared, condition, c)


def test_a_switch_on_an_int_takes_its_negative_cases(aer):
    body = (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; bit[3] c; bit[2] out; h q; c = measure q; int[3] n = c;'
        "switch (n) { case -3 { barrier q; out[0] = true; } case 3 { out[1] = true; } default { } }"
    )
    for key in run_program(aer, text_program(body, shots=200))[0].qpi.counts():
        out, bits = key.split()
        n = SIGNED[int(bits, 2)]
        assert out == f"{n == 3:d}{n == -3:d}"


def test_a_subroutine_takes_and_returns_the_numbers_it_declares(aer):
    body = (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; qubit last; bit[3] c; bit[4] out;'
        "def least(int[3] n, qubit last) { if (n == -4) x last; }"
        "def low(uint[2] n, qubit last) { if (n == 3) x last; }"
        "def signed(bit[3] n) -> int[3] { return n; }"
        "h q; c = measure q; least(c, last); out[0] = measure last; reset last; low(c, last); out[1] = measure last;"
        "reset last; if (signed(c) < 0) x last; out[2] = measure last; int[3] k = c; uint[3] m = k; out[3] = m > 6;"
    )
    for key in run_program(aer, text_program(body, shots=200))[0].qpi.counts():
        out, bits = key.split()
        c = int(bits, 2)
        assert out == f"{c == 7:d}{c > 3:d}{c & 3 == 3:d}{c == 4:d}"


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("def f(bit[2] n, qubit p) { if (n == 3) x p; } f(c, q[3]);", "defined with another number"),
        ("def f(bit n, qubit p) { if (n) x p; } f(c, q[3]);", "name one bit"),
        ("def f(bool n, qubit p) { if (n) x p; } f(c, q[3]);", "compute it first"),
        ("def f(uint n, qubit p) { if (n == 7) x p; } f(n, q[3]);", "at most 3 bits"),
        ("def f(bit n) { reset q[0]; c[0] = measure q[0]; if (n) x q[1]; } f(c[0]);", "may have changed"),
        ("def f(bit n) { let m = n; c[0] = measure q[0]; if (m) x q[1]; } f(c[0]);", "may have changed"),
        ("let m = n;", "is no bits"),
        ("switch (n) { case 5 { x q[0]; } }", "from -4 to 3"),
        ("uint[8] m = n;", "at most 3 bits"),
        ("uint m = n;", "at most 3 bits"),
        ("if (uint[8](n) == 255) x q[0];", "at most 3 bits"),
        ("if (uint[2](c ^ d) == 5) x q[0];", "assign them to a bit"),
        ("if (bit(c) == 2) x q[0];", "name one bit"),
        ("int m = c; if (~m == -1) x q[0];", "write ~ before the bits"),
        ("int m = d; if (n == m) x q[0];", "have no sign"),
        ("if (n == d) x q[0];", "have no sign"),
        ("if ((n ^ d) == 1) x q[0];", "have no sign"),
        ("if ((n ^ 4) == 1) x q[0];", "does not fit"),
        ("int m = n[0];", "use the bits themselves"),
        ("int[8] m = c; if (m[-1]) x q[0];", "use the bits themselves"),
        ("uint[2] m = c; m[0] = 1;", "declare it as bits"),
        ("if (c == d[0]) x q[0];", "different widths"),
        ("if (d[0] & c) x q[0];", "different widths"),
        ("if (c[0] & 2) x q[0];", "neither"),
        ("input float a; if (a == 1) x q[0];", "a condition is a measured bit"),
        ("input float a; if (a == 0) x q[0];", "a condition is a measured bit"),
        ("input float a; if (a < 1) x q[0];", "is compared by"),
    ],
)  # fmt: skip
def test_what_would_lose_a_width_or_a_sign_is_refused(statement, message):
    error = refusal(
        f"{HEAD.replace('bit[4]', 'bit[3]')}bit[3] d;\nc = measure q[0:2]; d = measure q[0:2];\n"
        f"int[3] n = c;\n{statement}"
    )
    assert error.line == 8
    assert message in error.message
    assert not FOREIGN.search(error.message)


@pytest.mark.parametrize("seed", range(0, 12, 2))
def test_what_qiskit_writes_means_the_same(aer, seed):
    """Branches, loops, switches and measurements midway of random circuits."""
    circuit = random_circuit(seed)
    programs = (
        qpy_program(circuit, shots=2000, seed_simulator=1),
        text_program(qasm3.dumps(circuit), shots=2000, seed_simulator=2),
    )
    left, right = (run_program(aer, program)[0].qpi.counts() for program in programs)
    assert sum(abs(left.get(key, 0) - right.get(key, 0)) for key in left.keys() | right.keys()) / 4000 < 0.15


# --- gates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(TAKEN - {"measure", "reset", "delay", "barrier"}))
def test_a_gate_of_ones_own_wins_over_what_others_call_so(aer, name):
    text = (
        f"OPENQASM 3.0; gate {name} a, b {{ U(pi, 0, pi) b; }} gate outer a, b {{ {name} a, b; }} qubit[3] q; bit[3] c;"
        f"outer q[0], q[1]; ctrl @ {name} q[1], q[2], q[0]; inv @ {name} q[0], q[2]; c = measure q;"
    )
    for simulator in (aer, MockExecutor(num_qubits=3, coupling="all")):
        assert run_program(simulator, text_program(text, shots=2))[0].qpi.counts() == {"111": 2}


@pytest.mark.parametrize("name", sorted(DEFINED))
def test_the_definitions_that_are_proposed_are_right(name):
    from qiskit.circuit.library import get_standard_gate_name_mapping

    mapping = get_standard_gate_name_mapping()
    standard = mapping[name if name in mapping else f"r{name}"]
    angles = [0.3 + 0.4 * k for k in range(len(standard.params))]
    use = f"{name}({','.join(map(str, angles))})" if angles else name
    operands = ",".join(f"q[{k}]" for k in range(standard.num_qubits))
    text = f'include "stdgates.inc"; {DEFINED[name]} qubit[{standard.num_qubits}] q; {use} {operands};'
    assert Operator(parse(text_program(text))[0].circuit).equiv(Operator(standard.base_class(*angles)))


def test_every_proposal_names_a_gate_that_there_is():
    for advice in [*CALLED.values(), *WRITTEN.values()]:
        gate = advice.rpartition(" ")[2]
        message = refusal(f'OPENQASM 3.0; include "stdgates.inc"; {gate}(1,2,3,4,5) $0;').message
        assert "takes" in message


@given(names=st.lists(st.sampled_from(["a", "b", "z", "θ", "λ"]), min_size=3, max_size=3, unique=True))
def test_angles_come_in_the_order_in_which_a_gate_names_them(names):
    listed = ", ".join(names)
    gates = f"gate g({listed}) w {{ U({listed}) w; }} gate h(z, y, x) w {{ g(z, y, x) w; }}"
    (parsed,) = parse(text_program(f"{gates} qubit q; h(0.1, 0.2, 0.3) q;"))
    assert parsed.circuit.decompose().decompose().data[0].params == [0.1, 0.2, 0.3]


# --- what must not happen -----------------------------------------------------------------------------------------

LONG = {
    "empty loop": "for int i in [0:1000000000] {}", "range": "for int i in [0:2**62] { x q[i % 4]; }",
    "nested": "for int i in [0:9**5] { for int j in [0:9**5] { x q[(i + j) % 4]; } }",
    "power": "const int a = 2**(2**64);", "product": "const int a = 2**1000 * 2**1000;",
    "shift": "const int a = 1 << 2**60;",
    "digits": f"const int a = {'9' * 5000};", "angle": f"rx({'1' * 500}.0) q[0];",
    "aliases": "let a0 = q ++ q;" + "".join(f"let a{k + 1} = a{k} ++ a{k};" for k in range(40)),
    "array": "array[int, 1000000000] a;", "rows": "array[int, 2000, 2000] a;",
    "barriers": "qubit[60000] r; for int i in [0:10000] { int j = i; barrier r; }",
    "delays": "qubit[60000] r; for int i in [0:10000] { int j = i; delay[1ns] r; }",
    "slices": "qubit[60000] r; for int i in [0:10000] { let a = r[i:59999]; }",
    "stores": "bit[30000] d; for int i in [0:10000] { int j = i; d = 1; }",
    "bits": "for int i in [0:70000] { int j = i; bit[2] b = measure q[0:1]; }",
    "subroutine": "def f(int n) -> int { return f(n); } const int k = f(1);",
    "fibonacci": "def f(int n) -> int { if (n < 2) { return n; } return f(n - 1) + f(n - 2); } const int k = f(40);",
    "while": "while (true) {}", "controls": "ctrl(1000000000) @ x q[0], q[1];", "exponent": "pow(1e300) @ x q[0];",
    "matrix": "qubit[15] r; pow(0.5) @ ctrl(12) @ x " + ",".join(f"r[{k}]" for k in range(13)) + ";",
    "physical": "x $999999999;", "gate": "gate w a { for int i in [0:1000000] { rx(i) a; } } w q[0];",
    "wide condition": "bit[5000] d; d[0] = measure q[0]; if (d[0:4999] == 1) x q[0];",
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
def test_nothing_small_becomes_large_or_long(name, monkeypatch):
    monkeypatch.setattr(openqasm3_conversion, "MAX_STEPS", 10_000)
    monkeypatch.setattr(openqasm3_conversion, "MAX_OPERATIONS", 100_000)
    start = time.process_time()
    error = refusal(HEAD + LONG[name])
    assert time.process_time() - start < 5
    assert error.line
    assert error.column
    assert not FOREIGN.search(error.message), error.message


TOKENS = re.compile(r"\s+|//[^\n]*|\w+|\"[^\"]*\"|[=!<>&|+*-]+|.", re.DOTALL)
TEXTS = [example.text for example in examples() + examples(FOLDER / "mistakes") if "while (true)" not in example.text]


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_damaged_text_is_refused_in_the_words_of_the_language(data):
    """Tokens of one program taken out, doubled or replaced by those of another."""
    tokens = TOKENS.findall(data.draw(st.sampled_from(TEXTS)))
    others = TOKENS.findall(data.draw(st.sampled_from(TEXTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(tokens) - 1))
        tokens[at] = data.draw(
            st.sampled_from(["", tokens[at] * 2, others[at % len(others)], "0", "-1", "q", "c", "1.5"])
        )
    text = "".join(tokens)
    error = error_of(text)
    if error is not None:
        assert not FOREIGN.search(error.message)
        assert 1 <= error.line <= text.count("\n") + 1
        assert 1 <= error.column <= len(text.split("\n")[error.line - 1]) + 1


def error_of(text: str) -> ProgramError | None:
    """What is said of a text; None where it is fine."""
    try:
        parse(text_program(text))
    except ProgramError as error:
        return error
    return None

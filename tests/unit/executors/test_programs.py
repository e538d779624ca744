"""Bad programs get an answer that says what, and where; nothing blows up on the way."""

from __future__ import annotations

import io
import re
import time
from dataclasses import replace

import pytest
from qiskit import ClassicalRegister, QuantumCircuit, qpy
from qiskit.circuit import Gate, Parameter

from qpi_executors.analysis import MAX_OPERATIONS, analyse
from qpi_executors.programs import flatten, parse
from qpi_jupyter.core.errors import ProgramError, QpiError, Rejected, TooLarge
from qpi_jupyter.core.formats import BUILT_IN
from qpi_jupyter.core.manifest import Manifest
from qpi_jupyter.core.programs import CircuitOptions
from qpi_jupyter.core.results import MAX_NAME
from tests.circuits import BELL_QASM2, BELL_QASM3, bell, qpy_program, text_program

Q2, Q3 = "openqasm2", "openqasm3"
MANIFEST = Manifest(
    executor="chip", executor_version="1", num_qubits=5, formats=tuple(BUILT_IN), basis_gates=("rz", "sx", "cz")
)
BRANCHING = replace(MANIFEST, control_flow=True, mid_circuit_measurement=True)
HEAD2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[2];\ncreg c[2];\n'
HEAD3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\n'


def doubling(levels: int, head: str, tail: str) -> str:
    gates = "gate g0 a { h a; }\n" + "".join(f"gate g{k} a {{ g{k - 1} a; g{k - 1} a; }}\n" for k in range(1, levels))
    return f"{head}{gates}{tail}"


@pytest.mark.parametrize(
    ("form", "text", "line", "column", "message"),
    [
        (Q2, HEAD2 + "h q[0];\nfoo q[0];\n", 6, 1, "'foo' is not defined"),
        (Q2, HEAD2 + "h q[7];", 5, 5, "out-of-range"),
        (Q2, HEAD2 + "  @", 5, 3, "'@'"),
        (Q2, "garbage", 1, 1, "garbage"),
        (Q2, 'OPENQASM 2.0;\ninclude "nope.inc";', 2, 9, "nope.inc"),
        (Q2, BELL_QASM3.decode(), 1, 10, "set the format to 'openqasm3'"),
        (Q2, HEAD2 + "qreg big[100000000];", 5, 1, "more than 65,536 bits"),
        (Q3, HEAD3 + "h q[0];\nfoo q[0];\n", 6, 1, "'foo' is not defined"),
        (Q3, HEAD3 + "h q[0] h q[1];\n", 5, 8, "unexpected 'h'"),
        (Q3, HEAD3 + "  @;\n", 5, 3, "unexpected"),
        (Q3, HEAD3 + "gate g a { h a;\n", 6, 1, "unexpected the end of the text"),
        (Q3, "garbage", 1, 8, "unexpected the end of the text"),
        (Q3, HEAD3 + "h q[7];", 5, 5, "range"),
        (Q3, HEAD3 + "for int i in [0:2] { h q[i]; }", 5, 26, "index 2 is out of range"),
        (Q3, "OPENQASM 3.0;\nconst int n = m;\n", 2, 15, "'m' is not declared"),
        (Q3, BELL_QASM2.decode(), 1, 10, "set the format to 'openqasm2'"),
        (Q3, "OPENQASM 3.0;\nqubit[100000000] q;\n", 2, 1, "more than 65,536 bits"),
        (Q3, doubling(60, 'OPENQASM 3.0;\ninclude "stdgates.inc";\n', ""), 23, 1, "more than 1,000,000 operations"),
        (Q3, HEAD3 + "gate w a,b,c,d,e,f,g { h a; }\nqubit[7] r;\npow(9) @ w r[0],r[1],r[2],r[3],r[4],r[5],r[6];",
         7, 1, "a power of a gate"),
    ],
)  # fmt: skip
def test_a_bad_text_names_line_and_column(form, text, line, column, message):
    with pytest.raises(ProgramError, match=message) as caught:
        parse(text_program(text, form))
    assert (caught.value.circuit, caught.value.line, caught.value.column) == (0, line, column)
    assert caught.value.message.startswith("Circuit 0")


def test_bytes_that_are_no_text():
    with pytest.raises(ProgramError, match="not UTF-8") as caught:
        parse(text_program(HEAD3.encode() + b"h \xff[0];"))
    assert (caught.value.line, caught.value.column) == (5, 3)


def test_the_second_source_of_a_batch_is_named():
    program = text_program(BELL_QASM2, Q2)
    both = type(program)(format=Q2, sources=(BELL_QASM2, b"OPENQASM 2.0;\nfoo;"))
    with pytest.raises(ProgramError) as caught:
        parse(both)
    assert (caught.value.circuit, caught.value.line) == (1, 2)


@pytest.mark.parametrize("kept", [7, 60, 200])
def test_a_damaged_qpy_file_is_a_bad_program(kept):
    buffer = io.BytesIO()
    qpy.dump(bell(), buffer)
    with pytest.raises(ProgramError) as caught:
        parse(text_program(buffer.getvalue()[:kept], "qpy"))
    assert caught.value.circuit == 0


@pytest.mark.parametrize("form", [Q2, Q3])
def test_a_gate_definition_bomb_is_refused_quickly(form):
    head = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n' if form is Q2 else 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
    tail = "qreg q[1]; creg c[1]; g63 q[0]; measure q -> c;" if form is Q2 else "qubit q; g63 q;"
    start = time.perf_counter()
    with pytest.raises(ProgramError, match="1,000,000") as caught:
        parse(text_program(doubling(64, head, tail), form))
    assert caught.value.code == "program_too_complex"
    assert caught.value.line
    assert caught.value.column
    assert time.perf_counter() - start < 2


def test_shared_definitions_are_counted_once():
    # What a hand-made QPY file loads as: each level holds the same definition twice.
    circuit = QuantumCircuit(1)
    circuit.h(0)
    for level in range(60):
        gate = Gate(f"g{level}", 1, [])
        gate.definition = circuit
        circuit = QuantumCircuit(1)
        circuit.append(gate, [0], copy=False)
        circuit.append(gate, [0], copy=False)
    with pytest.raises(ProgramError, match="expands to more than"):
        analyse(circuit, index=0, unique_names=False)


def test_a_register_whose_name_no_result_can_hold_is_refused():
    circuit = QuantumCircuit(ClassicalRegister(1, "c" * (MAX_NAME + 1)))
    with pytest.raises(ProgramError, match="has 10,001 characters: shorten it to 10,000") as caught:
        parse(qpy_program(circuit))
    assert caught.value.code == "long_name"


def test_a_huge_loop_is_refused():
    with pytest.raises(ProgramError, match="for_loop") as caught:
        parse(text_program(HEAD3 + "for int i in [0:100000000] { h q[0]; }\nc = measure q;"))
    assert caught.value.data["limit"] == MAX_OPERATIONS
    assert (caught.value.line, caught.value.column) == (5, 1)
    nested = "for int i in [0:2000] { for int j in [0:2000] { h q[0]; } }\nc = measure q;"
    with pytest.raises(ProgramError, match="expands"):
        parse(text_program(HEAD3 + nested))
    assert parse(text_program(HEAD3 + "for int i in [0:9] { h q[0]; }\nc = measure q;"))[0].analysis.operations == 13


def test_deep_nesting_is_an_error_and_not_a_crash():
    text = HEAD3 + "rx(" + "(" * 5000 + "1" + ")" * 5000 + ") q[0];"
    with pytest.raises(ProgramError, match="nest"):
        parse(text_program(text))


@pytest.mark.parametrize(
    ("circuit", "code", "message"),
    [
        (QuantumCircuit(0, 1), "no_qubits", "no qubits"),
        (QuantumCircuit(2), "no_measurement", "measures nothing"),
        (QuantumCircuit(2, 2), "no_measurement", "measures nothing"),
        (QuantumCircuit(6, 1), "too_many_qubits", "needs 6 qubits; this QPU has 5"),
    ],
)
def test_circuits_that_cannot_run(circuit, code, message):
    with pytest.raises(ProgramError, match=message) as caught:
        flatten(qpy_program(bell(), circuit), MANIFEST)
    assert (caught.value.code, caught.value.circuit) == (code, 1)


def test_a_refused_circuit_is_named_as_its_author_named_it():
    for name, said in (("trial", r"Circuit 0 \('trial'\) measures nothing"), (None, "Circuit 0 measures nothing")):
        with pytest.raises(ProgramError, match=said):
            flatten(qpy_program(QuantumCircuit(2, name=name)), MANIFEST)


def test_control_flow_and_midway_measurement_need_the_manifest():
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    circuit.x(0)
    with pytest.raises(ProgramError, match="after its measurement"):
        flatten(
            qpy_program(circuit),
            Manifest(
                executor="chip",
                executor_version="1",
                num_qubits=5,
                formats=tuple(BUILT_IN),
                basis_gates=(),
                mid_circuit_measurement=False,
            ),
        )
    with circuit.if_test((0, 1)):
        circuit.x(0)
    with pytest.raises(ProgramError, match="control flow"):
        flatten(qpy_program(circuit), MANIFEST)


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1, name="turned")
    circuit.rx(Parameter("a"), 0)
    circuit.rz(Parameter("b"), 0)
    circuit.measure(0, 0)
    return circuit


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((), "unbound parameters.* a, b"),
        (((1.0,),), "1 value in row 0 for its 2 parameters: a, b"),
        (((1.0, 2.0), (1.0, float("nan"))), "not finite in row 1"),
    ],
)
def test_parameter_rows_are_checked(rows, message):
    program = qpy_program(turned(), entries=(CircuitOptions(parameter_values=rows),))
    with pytest.raises(ProgramError, match=message) as caught:
        flatten(program, MANIFEST)
    assert caught.value.code == "bad_parameters"


@pytest.mark.parametrize(("unit", "value"), [("s", -0.5), ("dt", 0.5), ("s", 1e300), ("dt", 1e18)])
@pytest.mark.parametrize("where", ["", "if (c[0]) "])
def test_a_row_that_makes_an_impossible_delay_is_named(unit, value, where):
    text = f"{HEAD3}input float wait;\n{where}delay[wait * 1{unit}] q[0];\nc = measure q;"
    program = text_program(text, circuits=(CircuitOptions(parameter_values=((1.0,), (value,))),))
    with pytest.raises(
        ProgramError, match=rf"a delay of {re.escape(f'{value:g}')} {unit} from row 1.* wait\."
    ) as caught:
        flatten(program, BRANCHING)
    assert caught.value.code == "bad_parameters"


def test_rows_become_runs_in_order():
    program = qpy_program(bell(), turned(), entries=(CircuitOptions(shots=7), CircuitOptions(
        parameter_values=((1.0, 2.0), (3.0, 4.0))
    )))  # fmt: skip
    runs = flatten(program, MANIFEST)
    assert [(run.circuit_index, run.row_index, run.shots) for run in runs] == [(0, None, 7), (1, 0, 1024), (1, 1, 1024)]
    assert [instruction.params for instruction in runs[2].circuit.data[:2]] == [[3.0], [4.0]]
    assert runs[1].info(program.options).name == runs[1].circuit.name


def test_options_for_another_number_of_circuits_are_refused():
    with pytest.raises(Rejected, match="options for 2 circuits, and the program has 1"):
        flatten(qpy_program(bell(), entries=(CircuitOptions(), CircuitOptions())), MANIFEST)


def test_too_many_circuits_after_spreading_out():
    rows = tuple((0.0, float(k)) for k in range(6000))
    program = qpy_program(turned(), turned(), entries=(CircuitOptions(parameter_values=rows),) * 2)
    with pytest.raises(TooLarge, match="12,000 circuits"):
        flatten(program, MANIFEST)


def test_slots_follow_the_last_measurement_through_blocks():
    circuit = QuantumCircuit(3, 3)
    circuit.measure(2, 0)
    circuit.measure(0, 1)
    with circuit.if_test((0, 1)):
        circuit.measure(2, 1)
    (parsed,) = parse(qpy_program(circuit))
    slots = parsed.analysis.slots
    assert (slots.clbit, slots.qubit, slots.acq_index) == ((0, 1, 2), (2, 2, -1), (0, 1, -1))
    assert slots.measured().clbit == (0, 1)
    assert parsed.analysis.control_flow
    assert parsed.analysis.mid_circuit


def test_a_program_is_parsed_once(monkeypatch):
    program = text_program(BELL_QASM3 + b"// parsed once\n")
    first = parse(program)
    monkeypatch.setattr("qpi_executors.programs._read", lambda *arguments: pytest.fail("parsed again"))
    assert parse(program) is first


def test_the_hash_tells_programs_apart():
    a, b = b"one", b"two"
    program = text_program(a)
    texts = [(a,), (b,), (a, b), (b, a), (a + b,)]
    hashes = {type(program)(format=Q3, sources=sources).sha256 for sources in texts}
    assert len(hashes) == len(texts)


def test_every_refusal_can_cross_a_process():
    with pytest.raises(ProgramError) as caught:
        parse(text_program(HEAD3 + "foo q[0];"))
    again = QpiError.from_dict(caught.value.to_dict())
    assert isinstance(again, ProgramError)
    assert (again.line, again.column, again.message) == (caught.value.line, 1, caught.value.message)

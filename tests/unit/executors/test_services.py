"""Services as words of circuits: each is what it is named after, in both versions of OpenQASM and on every executor."""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qiskit import QuantumCircuit
from qiskit.circuit.library import CUGate, CXGate, CZGate, HGate, QFTGate, U3Gate
from qiskit.quantum_info import DensityMatrix, Operator, Statevector, partial_trace

from qpi_executors import run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.mock import MockExecutor
from qpi_executors.planning import Planner
from qpi_executors.programs import flatten, parse
from qpi_executors.sources import parse_openqasm2, parse_openqasm3
from qpi_jupyter.core import Program, RunOptions, pack, unpack
from qpi_jupyter.core.errors import ProgramError
from qpi_jupyter.core.planning import Study
from qpi_jupyter.core.plans import PlanKind, PlanRequest
from qpi_jupyter.core.services import SERVICES, WORDS
from tests.circuits import qpy_program, text_program

SHOTS = 40
SEEDS_OWN = """OPENQASM {version};
{include}qubit[2] q;
bit[1] c;
bell_pair q[0], q[1];
cnot q[0], q[1];
cz q[0], q[1];
teleport q[0], q[1];
syndrome_extraction q[0];
distillation q[1];
measure q[0] -> c[0];
"""
ANGLES = st.floats(-2 * pi, 2 * pi, allow_nan=False)


AER, MOCK = AerExecutor(), MockExecutor(num_qubits=7)


@pytest.fixture(params=[AER, MOCK], ids=["aer", "mock"])
def executor(request):
    return request.param


def text(version: str, body: str, num_qubits: int, bits: str = "") -> str:
    """A program with qubits q, bits as named, and the body in what both versions share."""
    if version == "3":
        registers = "".join(f"bit[{b.split(':')[1]}] {b.split(':')[0]};" for b in bits.split())
        return f'OPENQASM 3.0; include "stdgates.inc"; qubit[{num_qubits}] q; {registers}\n{body}'
    registers = "".join(f"creg {b.split(':')[0]}[{b.split(':')[1]}];" for b in bits.split())
    return f'OPENQASM 2.0; include "qelib1.inc"; qreg q[{num_qubits}]; {registers}\n{body}'


def circuit(version: str, body: str, num_qubits: int):
    source = text(version, body, num_qubits).encode()
    return (parse_openqasm3 if version == "3" else parse_openqasm2)(source, 0)


def counted(executor, version: str, body: str, num_qubits: int, bits: str) -> dict[str, dict[str, int]]:
    """Counts by register."""
    program = text_program(text(version, body, num_qubits, bits), f"openqasm{version}", shots=SHOTS, seed_simulator=11)
    names = [register.name for register in reversed(parse(program)[0].circuit.cregs)]
    seen: dict[str, dict[str, int]] = {name: {} for name in names}
    for outcome, count in run_program(executor, program)[0].qpi.counts().items():
        for name, value in zip(names, outcome.split(), strict=True):
            seen[name][value] = seen[name].get(value, 0) + count
    return seen


both = pytest.mark.parametrize("version", ["2", "3"])


# --- unitary ones ---


@both
@pytest.mark.parametrize("num_qubits", range(1, 6))
def test_qft_is_qiskits_and_takes_any_number_of_qubits(version, num_qubits):
    listed = ", ".join(f"q[{k}]" for k in range(num_qubits))
    for operands in ("q", listed):
        assert Operator(circuit(version, f"qft {operands};", num_qubits)).equiv(Operator(QFTGate(num_qubits)))


@both
@settings(max_examples=10, deadline=None)
@given(theta=ANGLES, phi=ANGLES, lam=ANGLES, gamma=ANGLES)
def test_gates_with_angles_are_qiskits(version, theta, phi, lam, gamma):
    body = (
        f"controlled_unitary({theta}, {phi}, {lam}, {gamma}) q[0], q[1]; programmable_gate({theta}, {phi}, {lam}) q[1];"
    )
    expected = Operator(CUGate(theta, phi, lam, gamma)) & Operator(
        np.kron(U3Gate(theta, phi, lam).to_matrix(), np.eye(2))
    )
    assert Operator(circuit(version, body, 2)).equiv(expected)


@both
@pytest.mark.parametrize(
    ("word", "gate"), [("hadamard", HGate()), ("cnot", CXGate()), ("cz", CZGate())], ids=lambda value: str(value)
)
def test_fixed_gates_are_qiskits(version, word, gate):
    operands = ", ".join(f"q[{k}]" for k in range(gate.num_qubits))
    assert Operator(circuit(version, f"{word} {operands};", gate.num_qubits)) == Operator(gate)


@both
def test_a_bell_pair_is_one_on_registers_and_in_gates(version):
    in_gate = "gate mine a, b { bell_pair a, b; } mine q[0], q[1];"
    for body in ("bell_pair q[0], q[1];", in_gate):
        state = Statevector(circuit(version, body, 2))
        assert state.equiv(Statevector([2**-0.5, 0, 0, 2**-0.5]))


def test_modifiers_go_around_the_whole_of_a_service():
    controlled = circuit("3", "ctrl @ qft q[2], q[0], q[1]; inv @ qft q[0], q[1]; pow(2) @ cnot q[0], q[1];", 3)
    expected = circuit("3", "", 3)
    expected.append(QFTGate(2).control(), [2, 0, 1])
    expected.append(QFTGate(2).inverse(), [0, 1])
    assert Operator(controlled).equiv(Operator(expected))


# --- measuring ones: each as a program whose outcome is certain ---


@both
@settings(max_examples=3, deadline=None)
@given(theta=ANGLES, phi=ANGLES)
def test_teleport_is_the_identity_on_a_state(version, theta, phi):
    """Also onto a qubit that held something else; the source is left in |0>."""
    body = (
        f"u3({theta}, {phi}, 0) q[0]; h q[1]; teleport q[0], q[1]; u3(-({theta}), 0, -({phi})) q[1];"
        "measure q[0] -> c[0]; measure q[1] -> c[1];"
    )
    assert counted(AER, version, body, 2, "c:2")["c"] == {"00": SHOTS}


@both
def test_teleport_keeps_entanglement(executor, version):
    """Half of a Bell pair: an entanglement fidelity of 1 is the identity channel."""
    body = (
        "bell_pair q[0], q[1]; teleport q[1], q[2]; cx q[0], q[2]; h q[0];measure q[0] -> c[0]; measure q[2] -> c[1];"
    )
    seen = counted(executor, version, body, 3, "c:2")
    assert seen["c"] == {"00": SHOTS}
    assert len(seen["teleport"]) == 4  # all corrections were needed


@both
def test_services_share_ancillas_and_prepare_them_anew(executor, version):
    body = (
        "x q[0]; teleport q[0], q[1]; teleport q[1], q[2]; syndrome_extraction q[2]; syndrome_extraction q[0], q[2];"
        "measure q[0] -> c[0]; measure q[1] -> c[1]; measure q[2] -> c[2];"
    )
    program = text_program(text(version, body, 3, "c:3"), f"openqasm{version}")
    assert parse(program)[0].circuit.num_qubits == 5
    seen = counted(executor, version, body, 3, "c:3")
    assert seen["c"] == {"100": SHOTS}
    assert [value for name, value in seen.items() if "syndrome" in name] == [{"1": SHOTS}, {"1": SHOTS}]


@both
@pytest.mark.parametrize("flipped", [(), (0,), (1,), (0, 2), (0, 1, 2)])
def test_a_syndrome_is_the_parity_and_leaves_the_state(version, flipped):
    flips = "".join(f"x q[{k}];" for k in flipped)
    body = (
        f"h q[0]; cx q[0], q[1]; cx q[0], q[2]; cx q[1], q[2]; {flips} syndrome_extraction q[0], q[1];"
        f"{flips} cx q[1], q[2]; cx q[0], q[2]; cx q[0], q[1]; h q[0];"
        "measure q[0] -> c[0]; measure q[1] -> c[1]; measure q[2] -> c[2];"
    )
    seen = counted(AER, version, body, 3, "c:3")
    assert seen["c"] == {"000": SHOTS}
    assert seen["syndrome_extraction"] == {str(len({0, 1} & set(flipped)) % 2): SHOTS}


@both
def test_distillation_of_one_qubit_measures_whether_it_is_the_magic_state(executor, version):
    for angle, bit in ((pi / 4, "0"), (5 * pi / 4, "1")):
        body = f"ry({angle}) q[0]; distillation q[0]; ry(-({angle})) q[0]; measure q[0] -> c[0];"
        seen = counted(executor, version, body, 1, "c:1")
        assert (seen["distillation"], seen["c"]) == ({bit: SHOTS}, {"0": SHOTS})
    passed = counted(executor, version, "h q[0]; distillation q[0]; measure q[0] -> c[0];", 1, "c:1")["distillation"]
    assert passed["0"] / SHOTS == pytest.approx(cos(pi / 8) ** 2, abs=5 * (0.25 / SHOTS) ** 0.5)


@both
@pytest.mark.parametrize("operands", ["q[0], q[1]", "q", "q[0], q[1], q[2], q[3]"])
def test_distillation_of_a_pair_finds_a_flip_and_keeps_a_good_pair(version, operands):
    num_qubits = 4 if "q[2]" in operands else 2
    second = "bell_pair q[2], q[3];" if num_qubits == 4 else ""
    for error, equal in (("", True), ("x q[1];", False)):
        body = (
            f"bell_pair q[0], q[1]; {second} {error} distillation {operands}; {error} cx q[0], q[1]; h q[0];"
            "measure q[0] -> c[0]; measure q[1] -> c[1];"
        )
        seen = counted(AER, version, body, num_qubits, "c:2")
        assert seen["c"] == {"00": SHOTS}
        assert set(seen["distillation"]) == ({"00", "11"} if equal else {"01", "10"})


@pytest.mark.parametrize("fidelity", [0.6, 0.75, 0.9])
def test_distillation_raises_the_fidelity_as_in_its_source(fidelity):
    """Two Werner pairs give F' of equation 7 in Bennett et al. 1996."""
    bell = DensityMatrix(np.array([2**-0.5, 0, 0, 2**-0.5]))
    werner = (4 * fidelity - 1) / 3 * bell + (1 - fidelity) / 3 * DensityMatrix(np.eye(4))
    state = werner.tensor(werner)
    for step in WORDS["distillation"].expand(4).steps:
        if step.gate != "measure":
            state = state.evolve(CXGate(), list(step.qubits))
    kept = np.zeros((4, 4), dtype=complex)
    for outcome in (0, 3):
        projector = np.zeros((4, 4))
        projector[outcome, outcome] = 1
        kept += partial_trace(state.evolve(Operator(projector), [2, 3]), [2, 3]).data
    bad = (1 - fidelity) / 3
    expected = (fidelity**2 + bad**2) / (fidelity**2 + 2 * fidelity * bad + 5 * bad**2)
    assert (bell.data @ kept).trace().real / kept.trace().real == pytest.approx(expected)


@both
def test_feed_forward_corrects_and_alone_resets(executor, version):
    body = (
        "h q[0]; measurement_feedforward q[0], q[1], q[2]; measure q[0] -> c[0]; measure q[1] -> c[1];"
        "measure q[2] -> c[2]; h q[3]; measurement_feedforward q[3]; measure q[3] -> d[0];"
    )
    seen = counted(executor, version, body, 4, "c:3 d:1")
    assert set(seen["c"]) == {"000", "111"}
    assert seen["d"] == {"0": SHOTS}


# --- whole programs ---


def test_the_coordinators_example_runs(executor):
    for include in ("", 'include "stdgates.inc";\n'):
        program = text_program(SEEDS_OWN.format(version="3", include=include), shots=SHOTS, seed_simulator=1)
        counts = run_program(executor, program)[0].qpi.counts()
        assert {(bits.split()[-1], bits.split()[1]) for bits in counts} == {("0", "0")}
        assert {bits.split()[2] for bits in counts} == {"00", "01", "10", "11"}


@both
@pytest.mark.parametrize("word", sorted(set(WORDS) - {"cz"}))  # of the include
def test_a_gate_of_ones_own_wins(executor, version, word):
    body = f"gate {word} a, b {{ x b; }} {word} q[0], q[1]; measure q[0] -> c[0]; measure q[1] -> c[1];"
    assert counted(executor, version, body, 2, "c:2") == {"c": {"10": SHOTS}}


@both
@pytest.mark.parametrize(
    ("body", "column", "message"),
    [
        ("x q[0]; teleport q[0];", 9, "'teleport' takes 2 qubits, not 1."),
        ("distillation q;", 1, "'distillation' takes 1, 2 or 4 qubits, not 3."),
        ("hadamard(1) q[0];", 1, "'hadamard' takes 0 angles, not 1."),
        ("controlled_unitary(1, 2) q[0], q[1];", 1, "'controlled_unitary' takes 3 or 4 angles, not 2."),
        ("qft q[0], q[0];", 1, "the same qubit twice in one gate."),
        ("gate mine a, b { teleport a, b; }", 18, "'teleport' measures: use it outside of gates"),
        ("qft q; frobnicate q[0];", 8, "'frobnicate' is not defined"),
        ("bell_pair q[0], q[1]; x q[3];", 27, ""),
        ("bell_pair q, r;", 1, "registers of different sizes (2 and 3) in one gate."),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(version, body, column, message):
    declared = "qubit[2] r;\n" if version == "3" else "qreg r[2];\n"
    with pytest.raises(ProgramError) as caught:
        circuit(version, declared + body, 3)
    assert message in caught.value.message
    assert caught.value.line == 3
    if message or version == "2":
        assert caught.value.column == column


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("bell_pair q[0],;", "line 3, column 1: 'bell_pair' takes 2 qubits, with commas between them."),
        ("qft\n;", "line 3, column 1: 'qft' takes 1 to 256 qubits, with commas between them."),
        ("qft q", "line 3, column 5: a ; is missing"),
        ("teleport c, q[0];", "'c' is not a qreg that is declared above."),
        ("if(c==1) teleport q[0], q[1];", "column 10: 'teleport' measures, which cannot depend on an if"),
        ("qft q; programmable_gate(1/0, 0, 0) q[0];", "column 8: cannot divide by zero"),
        ("qft q; programmable_gate(1e999, 0, 0) q[0];", "column 8: a number of this gate is not finite."),
    ],
)
def test_slips_of_openqasm2_have_their_place(body, message):
    with pytest.raises(ProgramError) as caught:
        circuit("2", "creg c[1];\n" + body, 3)
    assert message in caught.value.message


@both
def test_a_qpu_that_measures_at_the_end_only_names_the_service(version):
    manifest = replace(MockExecutor().capabilities(), mid_circuit_measurement=False)
    program = text_program(
        text(version, "x q[0];\nteleport q[0], q[1];\nmeasure q[1] -> c[0];", 2, "c:1"), f"openqasm{version}"
    )
    with pytest.raises(ProgramError, match=r"uses 'teleport' \(line 3\), which measures before its end") as caught:
        flatten(program, manifest)
    assert (caught.value.code, caught.value.line) == ("no_mid_circuit", 3)


def test_the_circuit_of_a_text_travels_as_qpy_to_a_qpu_without_branches():
    """As the fragments of a plan do."""
    body = "x q[0]; teleport q[0], q[1]; measure q[1] -> c[0];"
    read = parse_openqasm3(text("3", body, 2, "c:1").encode(), 0)
    (result,) = run_program(MockExecutor(num_qubits=5), qpy_program(read, shots=SHOTS))
    assert {bits.split()[-1] for bits in result.qpi.counts()} == {"1"}


def test_a_plan_takes_a_qpu_without_branches_for_feed_forward():
    """Its program runs there as it was planned; a QPU that measures at the end only is told apart."""
    mock = replace(MockExecutor(num_qubits=5).capabilities(), calibration_id="m")
    at_the_end = replace(mock, mid_circuit_measurement=False)
    head = msgspec.json.encode({
        "format": "openqasm3", "request": PlanRequest(), "targets": {"mock": mock, "end": at_the_end}
    })  # fmt: skip
    source = SEEDS_OWN.format(version="3", include="").encode()
    said, *blobs = unpack(Planner().answer(pack((head, source))))
    study = msgspec.convert(msgspec.json.decode(said)["study"], Study)
    whole = next(way for way in study.ways if way.kind is PlanKind.WHOLE)
    assert not whole.parts[0].on["mock"].problem
    assert whole.parts[0].on["end"].problem
    program = Program(format="qpy", sources=(blobs[whole.parts[0].program],), options=RunOptions(shots=SHOTS))
    (result,) = run_program(MockExecutor(num_qubits=5), program)
    assert {bits.split()[-1] for bits in result.qpi.counts()} == {"0"}


@pytest.mark.parametrize("spoilt", ["h", "a branch", "no measurement"])
def test_a_label_alone_makes_no_branch_a_services(spoilt):
    """Of a measured qubit that was used since, or of none: control flow, which this QPU has not."""
    own = QuantumCircuit(2, 2)
    own.h(0)
    if spoilt != "no measurement":
        own.measure(0, 0)
    if spoilt == "h":
        own.h(0)
    if spoilt == "a branch":
        own.measure(1, 1)
        with own.if_test((1, 1), label="teleport"):
            own.x(0)
    with own.if_test((0, 1), label="teleport"):
        own.x(1)
    own.measure(1, 1)
    with pytest.raises(ProgramError, match="control flow"):
        flatten(qpy_program(own), MockExecutor().capabilities())


def test_a_service_in_a_branch_of_ones_own_needs_branches():
    body = "bit c; c = measure q[0]; if (c) { measurement_feedforward q[1], q[0]; } c = measure q[0];"
    program = text_program(text("3", body, 2), shots=SHOTS)
    with pytest.raises(ProgramError, match="control flow"):
        flatten(program, MockExecutor().capabilities())
    assert run_program(AER, program)[0].qpi.counts()


def test_the_table_is_whole():
    assert len(SERVICES) == 11
    for service in SERVICES:
        for count in list(service.counts)[:5]:
            expansion = service.expand(count)
            bits = [step.bit for step in expansion.steps if step.bit is not None]
            assert sorted(bits) == list(range(expansion.num_bits))
            assert {q for step in expansion.steps for q in step.qubits} == set(range(count + expansion.num_ancillas))

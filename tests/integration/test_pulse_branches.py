"""Branches, loops and active resets on both schedulers: what the compiled pulses do where a measurement decides."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError

from qpi_executors import load, run_program
from qpi_executors.instruments import twin
from qpi_executors.instruments.executor import PulseExecutor
from qpi_executors.instruments.pulses import Acquire, Play, ShiftPhase
from qpi_executors.instruments.timing import TRIGGER_NS, timeline
from qpi_jupyter.core import ProgramError, Rejected
from tests.circuits import qpy_program, text_program
from tests.openqasm3_programs import FOLDER
from tests.support.pulses import any_circuit, by_clbit, chi_squared, distance, distribution, ideal, noiseless
from tests.support.q1asm import drives

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["qblox", "quantify"])
def executor(request):
    executor = load(request.param)
    executor.open()
    yield executor
    executor.close()


def teleported(angle: float) -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    circuit.ry(angle, 0)
    circuit.rz(0.4, 0)
    circuit.h(1)
    circuit.cx(1, 2)
    circuit.cx(0, 1)
    circuit.h(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.if_test((1, True)):
        circuit.x(2)
    with circuit.if_test((0, True)):
        circuit.z(2)
    circuit.rz(-0.4, 2)
    circuit.ry(-angle + 1.0, 2)
    circuit.measure(2, 2)
    return circuit


def otherwise() -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.ry(1.1, 0)
    circuit.h(1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)) as other:
        circuit.ry(0.7, 1)
    with other:
        circuit.rx(2.1, 1)
        circuit.s(1)
    circuit.h(1)
    circuit.measure(1, 1)
    return circuit


def entangling() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    circuit.h([0, 1])
    circuit.ry(0.9, 2)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.cx(1, 2)
        circuit.t(2)
    circuit.h([1, 2])
    circuit.measure([1, 2], [1, 2])
    return circuit


def looped() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 3)
    circuit.ry(1.0, 0)
    with circuit.for_loop(range(3)):
        circuit.ry(0.5, 0)
        circuit.measure(0, 0)
        with circuit.if_test((0, 1)):
            circuit.x(0)
    circuit.measure(0, 1)
    return circuit


def not_measured() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 2)
    with circuit.if_test((0, 1)) as other:
        circuit.x(0)
    with other:
        circuit.ry(0.8, 0)
    circuit.measure(0, 1)
    return circuit


CIRCUITS = {
    "teleported": teleported(0.9), "otherwise": otherwise(), "entangling": entangling(), "looped": looped(),
    "not measured": not_measured(),
}  # fmt: skip


def compiled(executor: PulseExecutor, circuit: QuantumCircuit, **options: bool):
    plan = timeline(executor.front.native(circuit), executor.device, **options)
    return plan, executor.opened.events(executor.opened.compile(plan, 1, average=False))


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_compiled_pulses_branch_as_the_circuit_does(executor, name):
    circuit = CIRCUITS[name]
    plan, events = compiled(executor, circuit)
    found = by_clbit(distribution(events, noiseless(executor.device)), plan, circuit.num_clbits)
    assert distance(found, ideal(circuit)) < 1e-9


def test_branches_are_decided_by_what_the_instrument_reads(executor):
    """Readout errors send a branch the wrong way as Aer has them, by density matrices and shot by shot."""
    circuit = CIRCUITS["teleported"]
    device = replace(
        noiseless(executor.device),
        qubits={
            name: replace(qubit, readout=replace(qubit.readout, p01=0.1, p10=0.2))
            for name, qubit in noiseless(executor.device).qubits.items()
        },
    )
    model = NoiseModel()
    model.add_all_qubit_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]))
    aer = AerSimulator(noise_model=model, seed_simulator=5, max_parallel_threads=1)
    right = aer.run(circuit, shots=4000).result().get_counts()
    plan, events = compiled(executor, circuit)
    walk = twin.Walk(events, device)
    drawn = (walk.by_way, walk.by_shot)
    for way in drawn:
        columns = way(8000, np.random.default_rng(3))
        last = columns[plan.labels[2]]
        wrong = np.random.default_rng(4).random(8000) < np.where(last == 1, 0.2, 0.1)
        bits = [np.where(wrong, 1 - last, last), columns[plan.labels[1]], columns[plan.labels[0]]]
        keys, numbers = np.unique(np.stack(bits, axis=1), axis=0, return_counts=True)
        found = {"".join(map(str, key)): int(n) for key, n in zip(keys, numbers, strict=True)}
        assert chi_squared(found, right) > 0.01, way


@pytest.mark.parametrize("circuit", [*CIRCUITS.values(), *map(any_circuit, range(4))], ids=lambda circuit: circuit.name)
def test_the_assembled_programs_play_what_the_twin_evolves(executor, circuit):
    """Each drive pulse at its time and at the phase that its qubit's frame has then."""
    stack = executor.opened
    schedule = stack.compile(timeline(executor.front.native(circuit), executor.device), 1, average=False)
    programs = drives(schedule, [tuple(pair) for pair in executor.hardware["connectivity"]["graph"]])
    phases: dict[str, float] = {}
    expected: dict[str, list[Play]] = {}
    at: dict[str, list[float]] = {}
    for event in sorted(stack.events(schedule), key=lambda event: round(event.start_s * 1e9)):
        if isinstance(event, ShiftPhase):
            phases[event.clock] = phases.get(event.clock, 0.0) + event.phase_deg
        elif isinstance(event, Play) and event.port.endswith(":mw"):
            expected.setdefault(event.port, []).append(event)
            at.setdefault(event.port, []).append(phases.get(event.clock, 0.0))
    offsets = set()
    assert {port for port, played in programs.items() if played} == expected.keys()
    for port, events in expected.items():
        assert [played.conditional for played in programs[port]] == [bool(event.trigger) for event in events]
        offsets |= {
            played.at_ns - round(event.start_s * 1e9) for played, event in zip(programs[port], events, strict=True)
        }
        for played, phase in zip(programs[port], at[port], strict=True):
            assert abs(math.remainder(played.phase_deg - phase, 360)) < 1e-4, port
    assert len(offsets) <= 1  # all sequencers begin together


def test_an_active_reset_measures_and_turns_what_reads_1(executor):
    circuit = QuantumCircuit(2, 2)
    circuit.x([0, 1])
    circuit.reset(0)
    circuit.measure([0, 1], [0, 1])
    plan, events = compiled(executor, circuit, active_reset=True)
    assert plan.reset_ns == 0
    assert plan.shot_s < 10e-6
    assert plan.labels == {0: "q0_m0", 1: "q1_m0"}
    found = by_clbit(distribution(events, noiseless(executor.device)), plan, 2)
    assert found == pytest.approx({"10": 1.0})
    once = [event for event in events if isinstance(event, Acquire) and event.trigger]
    turns = [event for event in events if isinstance(event, Play) and event.trigger]
    assert len(once) == len(turns) == 3
    for acquire, turn in zip(once, turns, strict=True):  # one pair after the other, each with the time of its trigger
        assert turn.start_s >= acquire.start_s + acquire.duration_s + TRIGGER_NS * 1e-9 - 1e-12
    assert [a.start_s > t.start_s for a, t in zip(once[1:], turns, strict=False)] == [True, True]


def test_counts_come_through_the_instruments_own_bits(executor, monkeypatch):
    """From a whole run, with the device's noise; a text and a circuit, and both kinds of reset."""
    text = (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nx q[0];\nc[0] = measure q[0];\n'
        "if (c[0]) { x q[1]; }\nc[1] = measure q[1];\n"
    )
    (dataset,) = run_program(executor, text_program(text, shots=300, seed_simulator=1))
    assert dataset.qpi.counts()["11"] > 240
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    active = load(executor.name, reset="active")
    monkeypatch.setattr(active, "_stack", executor.opened)  # a process has the instruments of one executor
    (points,) = run_program(active, qpy_program(circuit, shots=300, seed_simulator=1, meas_level=1))
    assert points.qpi.iq().values.shape == (300, 1)
    (dataset,) = run_program(active, qpy_program(circuit, shots=300, seed_simulator=1))
    assert dataset.qpi.counts()["0"] > 270


def unlike_instruments() -> dict[str, tuple[QuantumCircuit, str]]:
    """What the instruments cannot do, and what is said of it."""
    q, c = QuantumRegister(2, "q"), ClassicalRegister(2, "c")
    found = {name: QuantumCircuit(q, c) for name in ("register", "while", "twice", "measured", "nested", "both")}
    for circuit in found.values():
        circuit.measure(q, c)
    with found["register"].if_test((c, 3)):
        found["register"].x(0)
    with found["while"].while_loop((c[0], 1)):
        found["while"].x(0)
        found["while"].measure(0, 0)
    for qubit in (0, 1):
        with found["twice"].if_test((c[0], 1)):
            found["twice"].x(qubit)
        found["twice"].h(0)
    with found["measured"].if_test((c[0], 1)):
        found["measured"].measure(1, 1)
    with found["nested"].if_test((c[0], 1)), found["nested"].if_test((c[1], 1)):
        found["nested"].x(0)
    with found["both"].if_test(expr.bit_and(c[0], c[1])):
        found["both"].x(0)
    return {
        "register": (found["register"], r"branch on 2 bits \(c\[0\], c\[1\]\)"),
        "while": (found["while"], "has 'while'"),
        "twice": (found["twice"], r"two branches on one measurement of c\[0\].*measure again"),
        "measured": (found["measured"], r"measure of q\[1\] inside of a branch"),
        "nested": (found["nested"], "branch inside of a branch"),
        "both": (found["both"], r"branch on 2 bits \(c\[0\], c\[1\]\)"),
    }


@pytest.mark.parametrize("name", unlike_instruments())
def test_what_the_instruments_cannot_decide_is_refused_with_the_reason(executor, name):
    circuit, said = unlike_instruments()[name]
    with pytest.raises(ProgramError, match=said):
        executor.validate(qpy_program(circuit))


def test_points_of_a_measurement_that_decides_are_refused(executor):
    with pytest.raises(Rejected, match=r"q0 into classical bit 0 decides a branch.*meas_level=2"):
        executor.validate(qpy_program(CIRCUITS["teleported"], meas_level=1))


def test_services_run_with_their_feed_forward(executor):
    """The example of the coordinator's documentation: qubit 0 is teleported away and left in 0."""
    program = text_program((FOLDER / "services.qasm").read_text(), shots=200, seed_simulator=5)
    counts = run_program(executor, program)[0].qpi.counts()
    assert sum(count for bits, count in counts.items() if bits.endswith(" 0")) > 180
    assert {bits.split()[2] for bits in counts} == {"00", "01", "10", "11"}

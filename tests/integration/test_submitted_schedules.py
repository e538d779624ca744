"""Schedules that people submit, on both schedulers: whole, with their pulses spoiled, and without what a gate means."""

from __future__ import annotations

import importlib
import json
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qpi_executors import load, run_program
from qpi_executors.instruments.front import readout_ns
from qpi_executors.instruments.pulses import Acquire
from qpi_jupyter.client.programs import program_of
from qpi_jupyter.core import Program, ProgramError, RunOptions
from qpi_jupyter.data.formats import recognised
from tests.support.pulses import by_clbit, chi_squared, distance, distribution, ideal, noiseless

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=["qblox", "quantify"])
def executor(request):
    executor = load(request.param)
    executor.open()
    yield executor
    executor.close()


@pytest.fixture
def library(executor):
    """The library's own names."""
    names = {}
    for module in ("operations.gate_library", "operations.pulse_library"):
        names |= vars(importlib.import_module(f"{executor.name}_scheduler.{module}"))
    names["Schedule"] = importlib.import_module(f"{executor.name}_scheduler").Schedule
    return names


def measured(library, *operations, qubits=("q0",)):
    """A schedule of these operations between a reset and a measurement."""
    schedule = library["Schedule"]("mine")
    for operation in (library["Reset"](*qubits), *operations, library["Measure"](*qubits), library["IdlePulse"](4e-9)):
        schedule.add(operation)
    return schedule


def drag(executor, library, amplitude):
    names = {"qblox": ("amplitude", "beta"), "quantify": ("G_amp", "D_amp")}[executor.name]
    facts = dict(zip(names, (amplitude, 0.0), strict=True))
    return library["DRAGPulse"](duration=20e-9, port="q0:mw", clock="q0.01", phase=0.0, **facts)


def counted(executor, schedule, shots=4000, seed=1, **options):
    form = recognised(schedule)
    given = RunOptions(shots=shots, seed_simulator=seed, **options)
    program = Program(format=form.name, sources=tuple(form.encode([schedule])), options=given)
    executor.validate(program)
    (dataset,) = run_program(executor, program)
    return dataset


def entangled(library):
    """Gates whose counts tell of each frame, each pulse and the CZ."""
    turns = []
    for angle in (40, 110):
        turns += [library["Rxy"](angle, 0, "q0"), library["Rz"](angle, "q0"), library["Rxy"](90, 60, "q0")]
        turns += [library["Y90"]("q1"), library["CZ"]("q0", "q1"), library["Rxy"](90, 90, "q1")]
    return measured(library, *turns, qubits=("q0", "q1"))


def test_a_rabi_sweep_of_schedules_oscillates(executor, library):
    """By the amplitude of a pulse, which no circuit knows of; the readout errors are those of the device file."""
    qubit = executor.device.qubits["q0"]
    scales = np.linspace(0, 2, 9)
    schedules = [measured(library, drag(executor, library, scale * qubit.drive.amp180)) for scale in scales]
    form = recognised(schedules[0])
    program = Program(format=form.name, sources=tuple(form.encode(schedules)), options=RunOptions(shots=2000))
    found = [dataset.qpi.counts().get("1", 0) / 2000 for dataset in run_program(executor, program)]
    ones = np.sin(np.pi * scales / 2) ** 2
    expected = ones * (1 - qubit.readout.p10) + (1 - ones) * qubit.readout.p01
    assert np.abs(found - expected).max() < 0.06
    assert max(found) - min(found) > 0.9


def test_a_schedule_counts_as_its_circuit(executor, library):
    circuit = QuantumCircuit(2, 2)
    for angle in (40, 110):
        circuit.rx(math.radians(angle), 0)
        # quantify's own Rz turns the other way.
        circuit.rz(math.radians(angle if executor.name == "qblox" else -angle), 0)
        circuit.rz(-math.pi / 3, 0)
        circuit.rx(math.pi / 2, 0)
        circuit.rz(math.pi / 3, 0)
        circuit.ry(math.pi / 2, 1)
        circuit.cz(0, 1)
        circuit.ry(math.pi / 2, 1)
    circuit.measure([0, 1], [0, 1])
    plan, events = compiled(executor, entangled(library))
    found = by_clbit(distribution(events, noiseless(executor.device)), plan, 2)
    assert distance(found, ideal(circuit)) < 1e-9


def test_qubits_of_one_measurement_are_read_together_and_what_follows_waits_for_all(executor, library):
    schedule = measured(library, qubits=("q0", "q1", "q2"))
    schedule.add(library["Measure"]("q3", "q4"))
    _, events = compiled(executor, schedule)
    read = {event.label: event for event in events if isinstance(event, Acquire)}
    early = [read[f"{name}_m0"].start_s for name in ("q0", "q1", "q2")]
    late = [read[f"{name}_m0"].start_s for name in ("q3", "q4")]
    delays = {name: executor.device.qubits[name].readout.acq_delay_s for name in executor.device.names}
    assert len({round((start - delays[f"q{k}"]) * 1e9) for k, start in enumerate(early)}) == 1
    longest = max(readout_ns(executor.device.qubits[name]) for name in ("q0", "q1", "q2"))
    gap_ns = (late[0] - delays["q3"] - early[0] + delays["q0"]) * 1e9
    assert gap_ns == pytest.approx(longest + 4, abs=0.1)


def compiled(executor, schedule):
    form = recognised(schedule)
    (run,) = executor.runs(Program(format=form.name, sources=tuple(form.encode([schedule]))))
    stack = executor.opened
    return run.plan, stack.events(stack.compile_submitted(run.plan, 1, average=False))


def pulses_of(schedule):
    """What each operation of a compiled schedule plays, with those of schedules within it."""
    for operation in schedule.operations.values():
        body = operation.data.get("control_flow_info", {}).get("body")
        for inner in (operation, body):
            if hasattr(inner, "schedulables"):
                yield from pulses_of(inner)
        pulses = operation.data.get("pulse_info") or []
        yield from pulses if isinstance(pulses, list) else [pulses]


def turn_back(pulse):
    if "phase_shift" in pulse:
        pulse["phase_shift"] *= -1


def halve(pulse):
    if str(pulse.get("port")).endswith(":mw"):
        pulse.update({key: pulse[key] / 2 for key in ("amplitude", "G_amp") if key in pulse})


def drop(pulse):
    if str(pulse.get("port")).endswith(":fl"):
        pulse.update({key: 0.0 for key in ("amplitude", "amp") if key in pulse})


@pytest.mark.parametrize("spoil", [turn_back, halve, drop])
def test_what_is_spoiled_in_the_compiled_schedule_is_counted(executor, library, monkeypatch, spoil):
    right = counted(executor, entangled(library)).qpi.counts()
    compiled = executor.opened.compiled

    def spoiled(schedule):
        found = compiled(schedule)
        for pulse in pulses_of(found):
            spoil(pulse)
        return found

    monkeypatch.setattr(executor.opened, "compiled", spoiled)
    assert chi_squared(counted(executor, entangled(library)).qpi.counts(), right) < 1e-6


def test_another_seed_is_no_spoiled_schedule(executor, library):
    """The comparison above sees no difference where there is none."""
    one, other = (counted(executor, entangled(library), seed=seed).qpi.counts() for seed in (1, 2))
    assert chi_squared(one, other) > 1e-4


def test_what_a_gate_means_is_not_in_what_is_run(executor, library):
    """The matrices of the gates changed to nonsense: the same counts to the shot."""
    (source,) = recognised(entangled(library)).encode([entangled(library)])
    tree = json.loads(source)
    for operation in tree["data"]["operation_dict"].values():
        if gate := operation["data"]["gate_info"]:
            gate.update(unitary="nonsense", tex="nonsense")
    options = RunOptions(shots=1000, seed_simulator=1)
    counts = []
    for one in (source, json.dumps(tree).encode()):
        program = Program(format=f"{executor.name}-schedule", sources=(one,), options=options)
        (dataset,) = run_program(executor, program)
        counts.append(dataset.qpi.counts())
    assert counts[0] == counts[1]


def test_all_levels_are_of_the_same_shots(executor, library):
    facts = {"shots": 300, "seed": 8}
    points = counted(executor, entangled(library), meas_level=1, **facts)
    mean = counted(executor, entangled(library), meas_level=1, meas_return="avg", **facts)
    traces = counted(executor, entangled(library), meas_level=0, meas_return="avg", **facts)
    bits = counted(executor, entangled(library), **facts)
    counts = counted(executor, entangled(library), memory=False, **facts)
    assert mean.qpi.iq().values == pytest.approx(points.qpi.iq().mean("shot").values)
    assert traces.qpi.traces().mean(axis=-1)[0] == pytest.approx(mean.qpi.iq().values[0], abs=1e-4)  # 12 bits
    assert points.qpi.counts() == bits.qpi.counts() == counts.qpi.counts()
    assert bits.coords["qubit"].values.tolist() == [0, 1]


def test_one_qubit_is_measured_twice(executor, library):
    schedule = measured(library, library["X"]("q0"), library["Measure"]("q0"), library["X"]("q0"))
    found = counted(executor, schedule, shots=400)
    assert found.qpi.counts()["01"] > 300
    assert found.coords["acq_index"].values.tolist() == [0, 1]


def test_a_person_submits_the_schedule_itself(executor, library):
    program = program_of(measured(library), None)
    assert program.format == f"{executor.name}-schedule"


def test_what_the_library_cannot_compile_is_refused_with_its_reason(executor, library):
    schedule = measured(library)
    schedule.add(library["X"]("q0"), rel_time=1.3e-9)  # no grid has that
    with pytest.raises(ProgramError, match="cannot compile it"):
        counted(executor, schedule)

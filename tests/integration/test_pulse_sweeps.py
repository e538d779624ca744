"""Sweeps on both schedulers: compiled once where only angles differ, and as if each row were compiled by itself."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

from qpi_executors import load, run_program
from qpi_executors.instruments import cluster
from qpi_executors.instruments import executor as pulse_executor
from qpi_executors.instruments.frames import Frames
from qpi_executors.instruments.pulses import Play, ShiftPhase
from qpi_jupyter.core import CircuitOptions, Program, RunOptions
from qpi_jupyter.data.circuits import to_qpy

pytestmark = pytest.mark.slow

THETA, TAU = Parameter("theta"), Parameter("tau")


@pytest.fixture(scope="module", params=["qblox", "quantify"])
def executor(request):
    executor = load(request.param)
    executor.open()
    yield executor
    executor.close()


@pytest.fixture
def compiled(executor, monkeypatch):
    """The schedules that the library compiled, and the programs of every run."""
    schedules, programs = [], []
    compile_, run = executor.opened.compiled, executor.opened.run
    monkeypatch.setattr(executor.opened, "compiled", lambda one: schedules.append(one) or compile_(one))
    monkeypatch.setattr(executor.opened, "run", lambda one, limit: programs.append(texts(one)) or run(one, limit))
    return schedules, programs


def turned():
    """Frames of every kind: next to a pulse, next to one another, and next to the corrections of a CZ."""
    circuit = QuantumCircuit(2, 2, name="turned")
    circuit.rx(THETA, 0)
    circuit.cx(0, 1)
    circuit.rz(THETA / 3, 1)
    circuit.ry(2 * THETA, 1)
    circuit.measure([0, 1], [0, 1])
    return circuit


def sweep(circuit, values, **options):
    rows = tuple((float(value),) for value in values)
    entry = (CircuitOptions(parameter_values=rows),)
    return Program(
        format="qpy", sources=(to_qpy([circuit]),), options=RunOptions(seed_simulator=4, circuits=entry, **options)
    )


def texts(compiled):
    """The programs of all sequencers, without comments."""
    return [
        re.sub(r" *#.*", "", sequencer.sequence["program"])
        for parts in compiled.compiled_instructions.values()
        for module in (parts.values() if isinstance(parts, dict) else ())
        if isinstance(module, dict)
        for sequencer in module.get("sequencers", {}).values()
    ]


@pytest.fixture
def assembled(monkeypatch):
    """The frame changes of the programs that came to the dummy modules."""
    found, run = [], cluster.subprocess.run

    def recorded(command, **given):
        if command[-1] == "tmp.q1asm":
            found.append(turns(Path(given["cwd"], "tmp.q1asm").read_text()))
        return run(command, **given)

    monkeypatch.setattr(cluster.subprocess, "run", recorded)
    return found


def test_the_program_of_each_row_comes_to_the_instrument(executor, compiled, assembled):
    """The libraries upload nothing that equals what they uploaded last."""
    _, programs = compiled
    run_program(executor, sweep(turned(), (0.1, 0.2, 0.3), shots=20))
    turning = {found for row in programs for text in row if (found := turns(text))}
    assert len(turning) == 6
    assert turning <= set(assembled)


def turns(program):
    return tuple(re.findall(r"set_ph_delta (\d+)", program))


def test_the_rows_of_a_sweep_are_compiled_once_and_as_each_by_itself(executor, compiled, monkeypatch):
    schedules, programs = compiled
    program = sweep(turned(), np.linspace(-2, 9, 9), shots=300)
    once = [dataset.qpi.counts() for dataset in run_program(executor, program)]
    assert len(schedules) == 1

    class NotFound(Frames):
        """As if the library had written its programs in another way."""

        def __init__(self, *given):
            super().__init__(*given)
            self.whole = False

    monkeypatch.setattr(pulse_executor, "Frames", NotFound)
    executor.close()  # what it keeps is forgotten
    executor.open()
    monkeypatch.setattr(executor.opened, "run", record(executor, programs))
    each = [dataset.qpi.counts() for dataset in run_program(executor, program)]
    assert each == once
    assert len({str(counts) for counts in each}) == 9
    assert programs[9:] == programs[:9]
    assert len({str(one) for one in programs}) == 9


def record(executor, programs):
    run = executor.opened.run
    return lambda one, limit: programs.append(texts(one)) or run(one, limit)


def test_rows_differ_by_their_delays_too(executor, compiled):
    schedules, _ = compiled
    circuit = QuantumCircuit(1, 1, name="t1")
    circuit.x(0)
    circuit.delay(TAU, 0, "us")
    circuit.measure(0, 0)
    found = [dataset.qpi.counts()["1"] for dataset in run_program(executor, sweep(circuit, (1, 40, 90), shots=500))]
    alive = np.exp(-np.array([1, 40, 90]) * 1e-6 / executor.device.qubits["q0"].t1_s)
    assert found == pytest.approx(500 * alive, abs=60)
    assert len(schedules) == 3


def test_a_row_comes_as_soon_as_it_is_measured(executor, compiled, monkeypatch):
    _, programs = compiled
    heard = []
    monkeypatch.setattr(executor, "heard", lambda index, dataset: heard.append((index, len(programs))))
    program = sweep(turned(), (0, 1, 2), shots=20)
    executor.run(program, progress=lambda share: None, cancelled=lambda: False)
    assert heard == [(0, 1), (1, 2), (2, 3)]


@pytest.mark.parametrize(("level", "goes"), [(1, 1), (0, 2)])
def test_points_and_traces_of_a_sweep_are_compiled_once_each(executor, compiled, level, goes):
    schedules, programs = compiled
    datasets = run_program(executor, sweep(turned(), (0, 1, 2), shots=50, meas_level=level, meas_return="avg"))
    assert (len(datasets), len(schedules), len(programs)) == (3, goes, 3 * goes)
    values = [str(dataset.qpi.traces() if level == 0 else dataset.qpi.iq().values) for dataset in datasets]
    assert len(set(values)) == 3


def test_a_sequencer_turns_its_frame_before_each_pulse_as_the_schedule_does(executor):
    """What the twin evolves is the schedule; an instrument runs the programs."""
    assert_frames_are_played(*frames_of(executor))


@pytest.mark.parametrize("turn", [0, 1])
def test_a_frame_that_is_not_turned_is_seen(executor, turn):
    played, programs = frames_of(executor)
    place = max(range(len(programs)), key=lambda k: programs[k].count("set_ph_delta"))
    lines = programs[place].split("\n")
    del lines[[k for k, one in enumerate(lines) if "set_ph_delta" in one][turn]]
    programs[place] = "\n".join(lines)
    with pytest.raises(AssertionError):
        assert_frames_are_played(played, programs)


def frames_of(executor):
    circuit = turned().assign_parameters([0.7])
    program = Program(format="qpy", sources=(to_qpy([circuit]),), options=RunOptions(shots=1))
    (run,) = executor.runs(program)
    compiled = executor.opened.compile(executor.timeline(run), 1, average=False)
    phases, found = {}, {}
    for event in sorted(executor.opened.events(compiled), key=lambda event: round(event.start_s * 1e9, 3)):
        if isinstance(event, ShiftPhase):
            phases[event.clock] = phases.get(event.clock, 0.0) + event.phase_deg
        elif isinstance(event, Play) and event.port.endswith(":mw"):
            found.setdefault(event.port, []).append(phases.get(event.clock, 0.0) % 360)
    return found, texts(compiled)


def assert_frames_are_played(played, programs):
    """The phases of each drive line, in degrees, at its pulses."""
    found = []
    for text in programs:
        phase, at = 0, []
        for line in text.split("\n"):
            word, _, rest = line.strip().partition(" ")
            if word == "set_ph_delta":
                phase += int(rest)
            elif word == "play":
                at.append(phase * 360e-9 % 360)
        if len(at) > 1:
            found.append(at)
    assert sorted(map(len, found)) == sorted(map(len, played.values()))
    for at, expected in zip(sorted(found, key=len), sorted(played.values(), key=len), strict=True):
        assert np.abs((np.array(at) - expected + 180) % 360 - 180).max() < 1e-5

"""Previews of executors: rows and pulses from what a compiled schedule plays, and what decays meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest
from qiskit import QuantumCircuit

from qpi_executors import load
from qpi_executors.instruments.device import Device, Drive, Edge, Qubit
from qpi_executors.instruments.front import Front
from qpi_executors.instruments.previews import decays, in_time
from qpi_executors.instruments.pulses import Acquire, Event, Play, ResetPhase, ShiftPhase, Wait
from qpi_executors.instruments.submitted import Submitted
from qpi_executors.instruments.timing import Timeline, timeline
from qpi_jupyter.core import CircuitPreview, PreviewedPulse, PulseRow, Rejected, preview_of
from qpi_jupyter.core.previews import MAX_NATIVE_BYTES, MAX_PREVIEWED, MAX_PULSES
from tests.circuits import BELL_QASM3, bell, qpy_program, text_program
from tests.faults.executors import RecordingExecutor

QUBIT = Qubit(f01_hz=5e9, readout_hz=7e9, drive=Drive(amp180=0.2), t1_s=50e-6, t2_s=20e-6, reset_s=200e-6)
PAIR = Device(
    name="pair", qubits={"a": QUBIT, "b": replace(QUBIT, microwave_port="line:b")},
    edges={("a", "b"): Edge(amplitude=0.3)},
)  # fmt: skip
SHOT_S = 200e-6 + 4e-9


def plan_of(circuit: QuantumCircuit, device: Device = PAIR) -> Timeline:
    return timeline(Front(device).native(circuit), device)


def circuit(*, delay_s: float = 0.0) -> QuantumCircuit:
    made = QuantumCircuit(2, 1)
    made.x(0)
    if delay_s:
        made.delay(delay_s, 0, unit="s")
    made.measure(0, 0)
    return made


def play(port: str, at_s: float, duration_s: float, clock: str = "a.01", amplitude: float = 0.2) -> Play:
    return Play(start_s=SHOT_S + at_s, duration_s=duration_s, port=port, clock=clock, amplitude=amplitude)


def shift(at_s: float, degrees: float, clock: str = "a.01") -> ShiftPhase:
    return ShiftPhase(start_s=SHOT_S + at_s, clock=clock, phase_deg=degrees)


def shown(*events: Event) -> CircuitPreview:
    begun = [ResetPhase(start_s=0.0, clock="a.01"), Wait(start_s=4e-9, duration_s=200e-6, qubits=("a",))]
    return in_time(CircuitPreview(name="x"), plan_of(circuit()), PAIR, [*begun, *events])


def test_pulses_have_their_rows_operations_and_times_from_the_end_of_the_reset() -> None:
    preview = shown(
        play("line:b", 0.0, 20e-9, "b.01"),
        play("a:mw", 0.0, 20e-9),
        play("a:res", 20e-9, 1e-6, "a.ro", 0.25),
        Acquire(start_s=SHOT_S + 120e-9, duration_s=1e-6, port="a:res", label="a_m0"),
    )
    assert preview.rows == (
        PulseRow(port="a:mw", qubit="a", kind="drive"),
        PulseRow(port="a:res", qubit="a", kind="readout"),
        PulseRow(port="line:b", qubit="b", kind="drive"),
    )
    told = [(pulse.row, pulse.label, pulse.kind, pulse.start_s, pulse.duration_s) for pulse in preview.pulses]
    assert told == [
        (2, "drive", "drive", 0.0, 20e-9), (0, "x", "drive", 0.0, 20e-9), (1, "measure", "readout", 20e-9, 1e-6),
        (1, "a_m0", "acquisition", 120e-9, 1e-6),
    ]  # fmt: skip
    assert (preview.duration_s, preview.reset_s) == (pytest.approx(1.12e-6), pytest.approx(200e-6))


def test_a_submitted_schedule_lasts_as_long_as_it_plays_and_a_reset_midway_cuts_nothing_off() -> None:
    plan = Submitted(
        operations=(), duration_ns=999_000, reset_ns=0, labels={0: "a_m0"}, acquisitions={"a": ("a_m0",)}, source=""
    )
    begun = Wait(start_s=4e-9, duration_s=200e-6, qubits=("a",))
    read = Acquire(start_s=SHOT_S + 120e-9, duration_s=1e-6, port="a:res", label="a_m0")
    preview = in_time(CircuitPreview(name="x"), plan, PAIR, [begun, play("a:mw", 0.0, 20e-9), read])
    assert (preview.duration_s, preview.reset_s) == (pytest.approx(1.12e-6), pytest.approx(SHOT_S))
    midway = Wait(start_s=1e-6, duration_s=200e-6, qubits=("a",))
    first = Play(start_s=0.0, duration_s=20e-9, port="a:mw", clock="a.01", amplitude=0.2)
    preview = in_time(CircuitPreview(name="x"), plan, PAIR, [first, midway, play("a:mw", 2e-6, 20e-9), read])
    assert [pulse.start_s for pulse in preview.pulses if pulse.kind == "drive"] == [0.0, pytest.approx(SHOT_S + 2e-6)]
    assert preview.reset_s == 0.0


def test_pieces_of_a_pulse_are_one_and_so_are_turns_of_a_clock_at_one_time() -> None:
    preview = shown(
        shift(0.0, 90), shift(0.0, 200), shift(20e-9, 5), play("a:res", 0.0, 996e-9, "a.ro"),
        play("a:res", 996e-9, 4e-9, "a.ro"), play("a:res", 1e-6, 4e-9, "a.ro", 0.1),
    )  # fmt: skip
    phases = [(pulse.start_s, pulse.phase_deg) for pulse in preview.pulses if pulse.kind == "phase"]
    assert phases == [(0.0, -70.0), (20e-9, 5.0)]
    assert [pulse.duration_s for pulse in preview.pulses if pulse.kind == "readout"] == [1e-6, 4e-9]


def test_what_plays_on_a_port_that_the_device_does_not_know_has_a_row_of_its_own() -> None:
    preview = shown(play("coupler:fl", 0.0, 40e-9, "c.flux"), shift(0.0, 10, "strange"))
    assert [(row.port, row.qubit, row.kind) for row in preview.rows] == [
        ("coupler:fl", "", "other"), ("strange", "", "other"),
    ]  # fmt: skip


def test_only_so_many_pulses_are_shown_and_all_are_counted() -> None:
    preview = shown(*(play("a:mw", n * 40e-9, 20e-9) for n in range(MAX_PULSES + 5)))
    assert (len(preview.pulses), preview.total_pulses) == (MAX_PULSES, MAX_PULSES + 5)


def test_a_qubit_that_waits_for_longer_than_a_share_of_its_coherence_is_named_the_worst_first() -> None:
    assert decays(plan_of(circuit(delay_s=1e-6)), PAIR) == []
    assert decays(plan_of(circuit(delay_s=4e-6)), PAIR) == [
        "a has to keep its state for 4.02 µs, 20 % of its T2 (20 µs): expect it to decay."
    ]
    both = circuit(delay_s=4e-6)
    both.x(1)
    both.delay(30e-6, 1, unit="s")
    both.x(1)
    found = decays(plan_of(both), replace(PAIR, qubits={**PAIR.qubits, "b": replace(QUBIT, t1_s=15e-6)}))
    assert [line.split()[0] for line in found] == ["b", "a"]
    assert "of its T1 (15 µs)" in found[0]
    unknown = replace(QUBIT, t1_s=None, t2_s=None)
    assert decays(plan_of(both), replace(PAIR, qubits={"a": unknown, "b": unknown})) == []


@pytest.mark.parametrize("active", [False, True])
def test_a_reset_ends_what_a_qubit_has_to_keep(active: bool) -> None:
    made = QuantumCircuit(2, 4)
    for clbit in (0, 2):
        made.x([0, 1])
        made.measure([0, 1], [clbit, clbit + 1])
        made.reset([0, 1])
    plan = timeline(Front(PAIR).native(made), PAIR, active_reset=active)
    assert plan.duration_ns * 1e-9 > 4e-6
    assert decays(plan, PAIR) == []


def test_a_delay_off_the_grid_is_told() -> None:
    preview = in_time(CircuitPreview(name="x"), plan_of(circuit(delay_s=13e-9)), PAIR, [])
    assert preview.warnings == ("A delay of 13 ns is rounded to 12 ns, on the instrument's grid of 4 ns.",)


@pytest.mark.parametrize("name", ["mock", "qiskit_aer"])
def test_a_simulator_shows_its_circuits_without_times(name: str) -> None:
    preview = load(name).preview(qpy_program(*[bell()] * (MAX_PREVIEWED + 1), shots=7))
    assert (len(preview.circuits), preview.total) == (MAX_PREVIEWED, MAX_PREVIEWED + 1)
    first = preview.circuits[0]
    assert (first.name, first.shots, first.duration_s, first.rows) == ("bell", 7, None, ())
    assert "measure" in first.native
    with pytest.raises(Rejected):
        load(name).preview(text_program("OPENQASM 3.0; nonsense"))


def test_an_executor_without_previews_says_so() -> None:
    with pytest.raises(Rejected, match="recording has no preview of openqasm3 programs") as refused:
        RecordingExecutor().preview(text_program(BELL_QASM3))
    assert refused.value.code == "no_preview"


def test_a_preview_is_cut_to_what_a_frame_has_room_for() -> None:
    pulse = PreviewedPulse(row=0, label="x", kind="drive", start_s=0.0)
    large = CircuitPreview(
        name="large", native="é" * (MAX_NATIVE_BYTES // 3), rows=(PulseRow(port="p", qubit="q", kind="drive"),),
        pulses=(pulse,) * (MAX_PULSES - 1), total_pulses=MAX_PULSES - 1,
    )  # fmt: skip
    preview = preview_of([large, large], 2)
    assert [len(one.pulses) for one in preview.circuits] == [MAX_PULSES - 1, 1]
    assert [bool(one.native) for one in preview.circuits] == [True, False]
    assert "too long" in preview.circuits[1].problem
    with pytest.raises(ValueError, match="row must be"):
        replace(large, rows=())

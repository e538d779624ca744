"""The twin's physics, from pulses alone."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from qpi_executors.instruments import twin
from qpi_executors.instruments.executor import EXAMPLE
from qpi_executors.instruments.files import load
from qpi_executors.instruments.pulses import Acquire, Play, ShiftPhase
from qpi_jupyter.core import Rejected
from tests.support.pulses import distribution

DEVICE = load(list(EXAMPLE), library="qblox", dummy=True).device
QUBIT = DEVICE.qubits["q0"]


def drive(start_s, share=1.0, phase_deg=0.0):
    return Play(
        start_s=start_s, duration_s=QUBIT.drive.duration_s, port="q0:mw", clock="q0.01",
        amplitude=share * QUBIT.drive.amp180, phase_deg=phase_deg, shape="gaussian",
    )  # fmt: skip


def read(start_s, *, amplitude=QUBIT.readout.amplitude):
    pulse = Play(start_s=start_s, duration_s=1e-6, port="q0:res", clock="q0.ro", amplitude=amplitude)
    return [pulse, Acquire(start_s=start_s + 100e-9, duration_s=1e-6, port="q0:res", label="m")]


def one(events):
    return sum(p for outcome, p in distribution(events, DEVICE).items() if dict(outcome)["m"])


def test_an_excited_qubit_decays_with_t1():
    for wait_s in (0.0, 10e-6, 80e-6):
        gone = 1 - math.exp(-wait_s / QUBIT.t1_s)
        alive = 1 - QUBIT.gate_error  # of a pulse that depolarizes by twice its infidelity
        assert one([drive(0.0), *read(wait_s)]) == pytest.approx(alive * (1 - gone), abs=1e-9)


def test_a_superposition_dephases_with_t2():
    for wait_s in (0.0, 10e-6, 80e-6):
        kept = (1 - 2 * QUBIT.gate_error) ** 2 * math.exp(-wait_s / QUBIT.t2_s)
        events = [drive(0.0, 0.5), drive(wait_s, 0.5), *read(wait_s)]
        assert one(events) == pytest.approx((1 + kept) / 2, abs=1e-9)


def test_a_shift_of_the_clock_turns_the_axis_of_what_follows():
    back = [drive(0.0, 0.5), ShiftPhase(start_s=0.0, clock="q0.01", phase_deg=180.0), drive(0.0, 0.5), *read(0.0)]
    assert one(back) < 0.01
    assert one([event for event in back if not isinstance(event, ShiftPhase)]) > 0.99


def test_the_point_is_as_far_out_as_the_readout_pulse_is_strong():
    found = {}
    for share in (1.0, 0.5, 0.0):
        events = read(0.0, amplitude=share * QUBIT.readout.amplitude)
        points = twin.answer(events if share else events[1:], DEVICE, 4000, np.random.default_rng(1))["m"]
        found[share] = np.median(points.real) + 1j * np.median(points.imag)
    (zero, _), sigma = twin.blobs(QUBIT.readout)
    for share, point in found.items():
        assert abs(point - share * zero) < 6 * sigma / math.sqrt(4000)


def test_readout_errors_are_those_of_the_device():
    shots = twin.sample(read(0.0), DEVICE, 100_000, np.random.default_rng(2)).bits["m"]
    p = QUBIT.readout.p01
    assert shots.mean() == pytest.approx(p, abs=5 * math.sqrt(p / 100_000))


def test_a_port_that_the_device_does_not_have_is_refused_by_name():
    with pytest.raises(Rejected, match=r"port 'q9:mw'.*q0:mw"):
        distribution([Play(start_s=0, duration_s=1e-8, port="q9:mw", clock="q9.01", amplitude=0.1)], DEVICE)


def test_more_qubits_than_it_computes_are_refused():
    twin.check_size(["q"] * twin.MAX_QUBITS)
    with pytest.raises(Rejected, match="at most 9"):
        twin.check_size(["q"] * (twin.MAX_QUBITS + 1))


@pytest.mark.parametrize("p", ["p01", "p10"])
@pytest.mark.parametrize("placed", [True, False], ids=["blobs of the file", "blobs of our own"])
def test_points_are_read_as_wrongly_as_the_device_file_says(p, placed):
    """The overlap of the blobs is part of the readout error, and the rest are points in the other blob."""
    readout = QUBIT.readout if placed else replace(QUBIT.readout, centres=None, sigma=None)
    qubit = replace(QUBIT, readout=readout, t1_s=None, t2_s=None, gate_error=0.0)
    device = replace(DEVICE, qubits={**DEVICE.qubits, "q0": qubit})
    events = read(0.0) if p == "p01" else [drive(0.0), *read(20e-9)]
    points = twin.answer(events, device, 100_000, np.random.default_rng(6))["m"]
    ones = (points * np.exp(1j * math.radians(readout.rotation_deg))).real > readout.threshold
    wrong = ones.mean() if p == "p01" else 1 - ones.mean()
    said = getattr(readout, p)
    assert wrong == pytest.approx(said, abs=5 * math.sqrt(said / 100_000))


def test_blobs_that_overlap_more_than_the_file_says_are_believed():
    readout = replace(QUBIT.readout, sigma=0.012, p01=0.001, p10=0.001)
    assert twin.errors(readout) == pytest.approx(twin.overlaps(readout))
    assert twin.flips(readout) == pytest.approx((0.0, 0.0))
    assert min(twin.overlaps(readout)) > 0.1


def busy(rounds):
    """Two coupled qubits, the first of which is read again and again while it goes on."""
    edge = DEVICE.edges["q0", "q1"]
    events, at_s = [], 0.0
    for turn in range(rounds):
        for port, clock, qubit in (("q0:mw", "q0.01", QUBIT), ("q1:mw", "q1.01", DEVICE.qubits["q1"])):
            events.append(
                Play(
                    start_s=at_s, duration_s=20e-9, port=port, clock=clock, amplitude=0.6 * qubit.drive.amp180,
                    phase_deg=50.0 * turn, shape="gaussian",
                )
            )  # fmt: skip
        flux = {"port": "q0:fl", "clock": "cl0.baseband", "amplitude": edge.amplitude, "duration_s": edge.duration_s}
        events.append(Play(start_s=at_s + 20e-9, **flux))
        pulse, acquire = read(at_s + 3e-6)
        events += [pulse, replace(acquire, label=f"m{turn}", trigger="q0" if turn == 0 else "")]
        events.append(replace(drive(at_s + 5e-6), trigger="q0"))
        at_s += 6e-6
    return events


def test_shot_by_shot_reads_as_density_matrices_do():
    """With decay, dephasing, gate errors, readouts midway and what they decide."""
    walk = twin.Walk(busy(3), DEVICE)
    exact = distribution(busy(3), DEVICE)
    shots = 40_000
    columns = walk.by_shot(shots, np.random.default_rng(9))
    counted: dict[frozenset[tuple[str, int]], int] = {}
    for bits in zip(*(columns[label].tolist() for label in walk.labels), strict=True):
        key = frozenset(zip(walk.labels, bits, strict=True))
        counted[key] = counted.get(key, 0) + 1
    assert len(exact) == 8
    statistic = sum((counted.get(key, 0) - shots * p) ** 2 / (shots * p) for key, p in exact.items())
    assert statistic < 24.3  # of 7 degrees of freedom, at 0.1 %


def test_many_readouts_midway_cost_what_is_said_of_them():
    """Their ways double with each: a state for each shot is cheaper, and small."""
    assert not twin.cost(2, 1, 1000).by_shot
    assert twin.cost(2, 30, 1000).by_shot
    assert twin.cost(9, 40, 1_000_000).memory_bytes < 1 << 28
    events = busy(30)
    walk = twin.Walk(events, DEVICE)
    assert walk.splits == 31
    said_s = twin.duration_s(len(events), len(walk.qubits), walk.splits, 1000)
    begun = time.process_time()
    twin.sample(events, DEVICE, 1000, np.random.default_rng(1))
    assert time.process_time() - begun < 1 + 10 * said_s
    assert said_s < 1

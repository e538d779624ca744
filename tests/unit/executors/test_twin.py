"""The twin's physics, from pulses alone."""

from __future__ import annotations

import math

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

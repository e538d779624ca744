"""Probabilities and expectation values: of a result, and along the parameters of a sweep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_jupyter.core import Rejected, SweepAxis, TooLarge
from qpi_jupyter.data import drawings
from qpi_jupyter.data.build import bits_dataset, counts_dataset, expectation_dataset, iq_dataset
from qpi_jupyter.data.conventions import CircuitInfo, Slots
from qpi_jupyter.data.curves import drawing_of
from qpi_jupyter.data.pictures import html_of
from qpi_jupyter.data.sweeps import from_rows, sweep_dataset, sweep_of

AXIS = (SweepAxis(parameters=("theta",), length=3, units={"theta": "rad"}),)


def info(row=None, bits=2, shots=8, **more) -> CircuitInfo:
    parameters = {} if row is None else {"theta": 0.5 * row}
    axes = () if row is None else AXIS
    facts = {"name": "rabi", "row": row, "parameters": parameters, "axes": axes, "shots": shots, "memory_slots": bits}
    return CircuitInfo(**{**facts, "n_qubits": 3, **more})


BITS = np.array([[[0, 0]] * 8, [[1, 0]] * 4 + [[0, 1]] * 2 + [[0, 0]] * 2, [[1, 1]] * 8], dtype=np.int8)
"""By row: all 00; half 01, a quarter 10; all 11."""


def as_bits():
    return from_rows([bits_dataset(info(k), BITS[k]) for k in range(3)])


def as_counts():
    found = [{0: 8}, {1: 4, 2: 2, 0: 2}, {3: 8}]
    return from_rows([counts_dataset(info(k), found[k]) for k in range(3)])


def as_points():
    slots = Slots(clbit=(0, 1), qubit=(0, 1), acq_index=(0, 0))
    noise = np.random.default_rng(1).normal(scale=0.02, size=(3, 8, 2))
    return from_rows([iq_dataset(info(k, meas_level=1), BITS[k] + 0.1j + noise[k], slots) for k in range(3)])


@pytest.mark.parametrize("made", [as_bits, as_counts, as_points])
def test_a_sweep_has_a_probability_at_each_point(made):
    sweep = made()
    found = sweep.qpi.probabilities()
    assert found.dims == ("theta", "outcome")
    assert found.outcome.values.tolist() == ["00", "01", "10", "11"]
    np.testing.assert_allclose(found, [[1, 0, 0, 0], [0.25, 0.5, 0.25, 0], [0, 0, 0, 1]])
    assert found.theta.attrs["units"] == "rad"
    assert sweep.qpi.probability("01").values.tolist() == [0, 0.5, 0]
    assert sweep.qpi.probability(3).values.tolist() == [0, 0, 1]
    assert sweep.qpi.probability("0x2").values.tolist() == [0, 0.25, 0]
    assert sweep.qpi.expectation("ZZ").values.tolist() == [1, -0.5, 1]
    assert sweep.qpi.expectation("IZ").values.tolist() == [1, 0, -1]
    assert sweep.qpi.expectation("zi").values.tolist() == [1, 0.5, -1]
    assert sweep.qpi.expectation("II").values.tolist() == [1, 1, 1]
    assert float(sweep.isel(theta=1).qpi.probability("10")) == 0.25


def test_what_is_not_measured_yet_is_nan():
    whole = as_bits()
    sweep = sweep_of(["theta"], [[0.0], [0.5], [1.0]], AXIS)
    growing = sweep_dataset(sweep, {1: bits_dataset(info(1), BITS[1])})
    np.testing.assert_array_equal(np.isnan(growing.qpi.probability("01")), [True, False, True])
    assert growing.qpi.counts() == [{}, whole.qpi.counts()[1], {}]
    (line, *_) = drawing_of(growing)["lines"]
    assert line["y"] == [None, 0.25, None]


def test_registers_and_many_bits():
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2, (40, 70))
    about = CircuitInfo(name="wide", shots=40, memory_slots=70, n_qubits=70, creg_sizes=(("a", 30), ("b", 40)))
    data = bits_dataset(about, bits)
    found = data.qpi.probabilities()
    assert found.sizes["outcome"] == len(data.qpi.counts())
    assert dict(zip(found.outcome.values.tolist(), (40 * found).round().astype(int).values.tolist(), strict=True)) == (
        data.qpi.counts()
    )
    some = next(iter(data.qpi.counts()))
    assert float(data.qpi.probability(some)) == data.qpi.counts()[some] / 40
    assert float(data.qpi.probability(some.replace(" ", ""))) == data.qpi.counts()[some] / 40


@given(st.integers(1, 5), st.integers(1, 9), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_bits_and_their_counts_say_the_same(bits, points, seed):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, 2, (points, 8, bits))
    words = (drawn << np.arange(bits)).sum(axis=-1)
    axes = (SweepAxis(parameters=("theta",), length=points),)
    abouts = [info(k, bits=bits, axes=axes) for k in range(points)]
    counted = [dict(zip(*(part.tolist() for part in np.unique(row, return_counts=True)), strict=True)) for row in words]
    shots = from_rows([bits_dataset(about, row) for about, row in zip(abouts, drawn, strict=True)])
    counts = from_rows([counts_dataset(about, row) for about, row in zip(abouts, counted, strict=True)])
    assert shots.qpi.probabilities().equals(counts.qpi.probabilities())
    assert shots.qpi.counts() == counts.qpi.counts()
    np.testing.assert_allclose(shots.qpi.probabilities().sum("outcome"), 1)
    np.testing.assert_allclose(shots.qpi.expectation("Z" * bits), ((-1.0) ** drawn.sum(axis=-1)).mean(axis=-1))


def test_what_cannot_be_asked_is_said_plainly():
    sweep = as_bits()
    with pytest.raises(Rejected, match="'111' is not an outcome of this circuit: it has 2 bits, as in '11'"):
        sweep.qpi.probability("111")
    with pytest.raises(Rejected, match="not an outcome"):
        sweep.qpi.probability("ab")
    with pytest.raises(Rejected, match="give 2 letters I or Z"):
        sweep.qpi.expectation("XZ")
    with pytest.raises(Rejected, match="give 2 letters"):
        sweep.qpi.expectation("Z")
    values = expectation_dataset(info(), {"ZZ": (0.5, 0.1)})
    assert float(values.qpi.expectation("ZZ")) == 0.5
    with pytest.raises(Rejected, match="no observable 'XX'"):
        values.qpi.expectation("XX")
    with pytest.raises(Rejected, match="no counts"):
        values.qpi.probabilities()


def test_too_many_outcomes_at_too_many_points_are_refused(monkeypatch):
    monkeypatch.setattr("qpi_jupyter.data.probabilities.MAX_SPREAD_BYTES", 100)
    rng = np.random.default_rng(0)
    sweep = from_rows([bits_dataset(info(k, bits=40), rng.integers(0, 2, (8, 40))) for k in range(3)])
    with pytest.raises(TooLarge, match="24 outcomes at 3 points"):
        sweep.qpi.probabilities()


def test_ten_thousand_points_are_quick():
    import time

    count = 10_000
    rng = np.random.default_rng(0)
    axes = (SweepAxis(parameters=("theta",), length=count),)
    about = info(0, axes=axes, shots=100)
    rows = dict.fromkeys(range(count), bits_dataset(about, rng.integers(0, 2, (100, 2))))
    sweep = sweep_of(["theta"], np.linspace(0, 1, count)[:, None], axes)
    start = time.process_time()
    data = sweep_dataset(sweep, rows)
    drawing = drawing_of(data)
    took_s = time.process_time() - start
    assert took_s < 5
    assert len(drawing["x"]) <= drawings.MAX_X


def test_one_parameter_is_a_curve_and_two_are_a_heat_map():
    curve = drawing_of(as_bits())
    assert (curve["draw"], curve["x_label"], curve["y_label"]) == ("lines", "theta (rad)", "Probability")
    assert [line["label"] for line in curve["lines"]] == ["00", "01", "10", "11"]
    assert "Probability over theta (rad) from 0 to 1" in drawings.text_of(curve)
    grid = [(a, b) for a in (0.0, 1.0) for b in (0.0, 1.0, 2.0)]
    rows = [bits_dataset(info(k, axes=(), parameters={"a": a, "b": b}), BITS[k % 3]) for k, (a, b) in enumerate(grid)]
    heat = drawing_of(from_rows(rows))
    assert (heat["draw"], heat["x_label"], heat["y_label"]) == ("heat_map", "b", "a")
    assert heat["z"] == [[1.0, 0.25, 0.0]] * 2
    assert heat["z_label"] == "Probability of 00"
    assert html_of(heat).partition("crispEdges")[2].count("z'/>") == 3, "a path for each colour"
    assert "up from 0 to 1" in drawings.text_of(heat)

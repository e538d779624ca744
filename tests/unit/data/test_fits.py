"""Fits: known parameters come back from simulated data within their errors, and hopeless data are refused plainly."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import numpy as np
import pytest

from qpi_jupyter.core import Rejected, SweepAxis
from qpi_jupyter.data import drawings, fits
from qpi_jupyter.data.build import bits_dataset, counts_dataset, iq_dataset
from qpi_jupyter.data.conventions import CircuitInfo, Slots
from qpi_jupyter.data.fits import MODELS, Value
from qpi_jupyter.data.sweeps import from_rows, sweep_dataset, sweep_of

US = 1e-6
FUNCTIONS = {
    "rabi": (lambda x: 0.5 - 0.48 * np.cos(2 * np.pi * x / 0.37), np.linspace(0, 1, 41), {"period": 0.37}),
    "t1": (lambda x: 0.02 + 0.95 * np.exp(-x / (40 * US)), np.linspace(0, 160 * US, 31), {"time": 40 * US}),
    "echo": (lambda x: 0.5 + 0.45 * np.exp(-x / (60 * US)), np.linspace(0, 250 * US, 31), {"time": 60 * US}),
    "ramsey": (
        lambda x: 0.5 + 0.45 * np.exp(-x / (12 * US)) * np.cos(2 * np.pi * 0.31e6 * x),
        np.linspace(0, 30 * US, 91),
        {"time": 12 * US, "frequency": 0.31e6},
    ),
    "rb": (lambda x: 0.5 + 0.5 * 0.996**x, np.array([1, 5, 10, 20, 50, 100, 200, 400, 800, 1500]), {"alpha": 0.996}),
}


def simulated(function, x, shots=2000, seed=0, unit="s"):
    rng = np.random.default_rng(seed)
    axes = (SweepAxis(parameters=("x",), length=len(x), units={"x": unit}),)
    rows = []
    for k, (at, share) in enumerate(zip(x, np.broadcast_to(function(np.asarray(x, float)), len(x)), strict=True)):
        info = CircuitInfo(
            name="c", row=k, parameters={"x": float(at)}, axes=axes, shots=shots, memory_slots=1, n_qubits=1
        )
        ones = int(rng.binomial(shots, np.clip(share, 0, 1)))
        rows.append(counts_dataset(info, {v: n for v, n in ((0, shots - ones), (1, ones)) if n}))
    return from_rows(rows)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("seed", range(4))
def test_known_parameters_come_back_within_their_errors(name, seed):
    function, x, due = FUNCTIONS[name]
    found = simulated(function, x, seed=seed).qpi.fit(name)
    for parameter, value in due.items():
        assert abs(found[parameter].value - value) < 4.5 * found[parameter].error
        assert found[parameter].error < 0.2 * value
    assert 0.3 < found.reduced_chi_square < 2.5


@pytest.mark.parametrize("name", ["rabi", "ramsey"])
def test_many_points_of_many_periods_are_fitted(name):
    x = np.linspace(0, 1, 1001)
    decay = np.exp(-x / 0.4) if name == "ramsey" else 1.0
    found = simulated(lambda _: 0.5 + 0.4 * decay * np.cos(2 * np.pi * 113.7 * x + 1), x, shots=50).qpi.fit(name)
    key = "frequency" if name == "ramsey" else "period"
    assert found[key].value == pytest.approx(113.7 if name == "ramsey" else 1 / 113.7, rel=1e-3)
    assert 0.7 < found.reduced_chi_square < 1.3


def test_errors_are_as_large_as_they_say():
    """Over many simulations the deviations by their errors are spread by about 1."""
    function, x, due = FUNCTIONS["t1"]
    pulls = []
    for seed in range(30):
        found = simulated(function, x, shots=500, seed=seed).qpi.fit("t1")
        pulls.append((found["T1"].value - due["time"]) / found["T1"].error)
    assert 0.6 < np.std(pulls) < 1.5


def test_what_follows_from_a_fit_has_errors_and_units():
    rabi = simulated(*FUNCTIONS["rabi"][:2], unit="V").qpi.fit("rabi")
    assert rabi["pi_pulse"].unit == rabi["period"].unit == "V"
    assert rabi["pi_pulse"].value == rabi["period"].value / 2
    ramsey = simulated(*FUNCTIONS["ramsey"][:2]).qpi.fit("ramsey")
    assert (ramsey["frequency"].unit, ramsey["T2*"].unit) == ("1/s", "s")
    rb = simulated(*FUNCTIONS["rb"][:2], unit="1").qpi.fit("rb")
    assert rb["error_per_clifford"].value == pytest.approx(0.002, abs=4 * rb["error_per_clifford"].error)


@pytest.mark.parametrize("name", MODELS)
def test_noise_alone_is_refused_plainly(name):
    x = FUNCTIONS[name][1]
    for seed in range(5):
        with pytest.raises(Rejected, match=rf"do not (show|determine).*{name}"):
            simulated(lambda x: np.full(len(x), 0.4), x, shots=300, seed=seed).qpi.fit(name)


@pytest.mark.parametrize("name", ["t1", "echo", "rb"])
def test_an_oscillation_is_not_taken_for_a_decay(name):
    x = np.linspace(0, 4 * np.pi, 41)
    for seed in range(3):
        with pytest.raises(Rejected, match=rf"do not show {name}: they change in another way"):
            simulated(lambda x: (1 - np.cos(x)) / 2, x, shots=500, seed=seed).qpi.fit(name)


def test_other_hopeless_data_are_refused_plainly():
    function, x, _ = FUNCTIONS["rabi"]
    sweep = simulated(function, x)
    with pytest.raises(Rejected, match="3 points cannot determine the 4 parameters of rabi"):
        sweep.isel(x=slice(3)).qpi.fit("rabi")
    with pytest.raises(Rejected, match=r"no model 'raby'\. Did you mean rabi"):
        sweep.qpi.fit("raby")
    with pytest.raises(Rejected, match="sweep of one parameter; this result has none"):
        sweep.isel(x=0).qpi.fit("rabi")
    with pytest.raises(Rejected, match="not an outcome"):
        sweep.qpi.fit("rabi", "11")
    with pytest.raises(Rejected, match="no coordinate 'y'"):
        sweep.qpi.fit("rabi", along="y")


def test_what_the_data_leave_open_is_not_made_up():
    function = lambda x: 0.5 + 0.45 * np.cos(2 * np.pi * 0.31e6 * x)  # noqa: E731
    fit = simulated(function, FUNCTIONS["ramsey"][1]).qpi.fit("ramsey")
    assert abs(fit["frequency"].value - 0.31e6) < 5 * fit["frequency"].error
    assert math.isnan(fit["T2*"].value)
    assert "T2* = not determined" in repr(fit)


def test_the_how_to_lists_every_model():
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "sweeps.md").read_text()
    assert [name for name in MODELS if f"\n| `{name}` |" not in page] == []


def test_the_accessor_shows_what_the_function_takes():
    fit = simulated(*FUNCTIONS["rabi"][:2]).qpi.fit
    assert list(inspect.signature(fit).parameters) == ["model", "of", "along", "guess"]
    assert fit.__doc__ == fits.fit.__doc__


def test_a_growing_sweep_is_fitted_as_far_as_it_is_there():
    function, x, due = FUNCTIONS["rabi"]
    whole = simulated(function, x)
    from qpi_jupyter.data.sweeps import rows_of

    rows = dict(list(enumerate(rows_of(whole)))[:30])
    axes = (SweepAxis(parameters=("x",), length=len(x)),)
    found = sweep_dataset(sweep_of(["x"], x[:, None], axes), rows).qpi.fit("rabi")
    assert abs(found["period"].value - due["period"]) < 4 * found["period"].error
    assert found.drawing()["draw"] == "lines"


def test_a_function_of_ones_own_and_numbers_of_ones_own():
    function, x, _ = FUNCTIONS["t1"]
    sweep = simulated(function, x)

    def curve(delay, rate=1e4, offset=0.0):
        return offset + np.exp(-delay * rate)

    found = sweep.qpi.fit(curve)
    assert found["rate"].value == pytest.approx(1 / (40 * US), rel=0.1)
    again = sweep.qpi.fit(curve, 1 - sweep.qpi.probability("0"), guess={"rate": 2e4})
    assert again["rate"].value == pytest.approx(found["rate"].value, rel=0.05)
    assert found.name == "curve"
    np.testing.assert_allclose(found.at(x[3]), curve(x[3], found["rate"].value, found["offset"].value))


def test_averaged_points_are_fitted_along_their_widest_direction():
    x = np.linspace(0, 1, 41)
    axes = (SweepAxis(parameters=("x",), length=41),)
    slots = Slots(clbit=(0,), qubit=(2,), acq_index=(0,))
    noise = np.random.default_rng(0).normal(scale=0.02, size=(41, 2)) @ np.array([1, 1j])
    signal = (0.3 + 0.2j) + np.exp(0.7j) * np.cos(2 * np.pi * x / 0.4) + noise
    rows = [
        iq_dataset(
            CircuitInfo(
                name="c", row=k, parameters={"x": float(at)}, axes=axes, shots=9, memory_slots=1, n_qubits=3,
                meas_level=1, meas_return="avg",
            ),
            [value], slots,
        )
        for k, (at, value) in enumerate(zip(x, signal, strict=True))
    ]  # fmt: skip
    found = from_rows(rows).qpi.fit("rabi")
    assert found["period"].value == pytest.approx(0.4, rel=0.02)


def test_parameters_that_change_together_say_which_is_x():
    x = np.linspace(0, 1, 41)
    rng = np.random.default_rng(0)
    rows = []
    for k, at in enumerate(x):
        values = {"x": float(at), "half": float(at / 2)}
        info = CircuitInfo(name="c", row=k, parameters=values, shots=500, memory_slots=1, n_qubits=1)
        share = 0.5 - 0.4 * math.cos(2 * np.pi * at / 0.5)
        rows.append(bits_dataset(info, rng.random((500, 1)) < share))
    sweep = from_rows(rows)
    assert sweep.qpi.fit("rabi")["period"].value == pytest.approx(0.5, rel=0.05)
    assert sweep.qpi.fit("rabi", along="half")["period"].value == pytest.approx(0.25, rel=0.05)


def test_a_fit_is_drawn_and_told():
    found = simulated(*FUNCTIONS["rabi"][:2], unit="V").qpi.fit("rabi")
    drawing = found.drawing()
    data, line = drawing["lines"]
    assert (data["label"], data["dots"], line["label"]) == ("data", True, "fit: rabi")
    assert sum(y is not None for y in data["y"]) == 41
    assert None not in line["y"]
    assert "period = 0.37" in drawing["note"]
    assert drawing["x_label"] == "x (V)"
    assert "period = 0.37" in repr(found)
    picture = found._repr_html_()
    assert all(f">{word}</text>" in picture for word in ("x (V)", "Probability of 1", "0.4"))
    points, curve, *_ = drawings.text_of(drawing).splitlines()
    low, high = found.data.values.min(), found.data.values.max()
    assert points.endswith(f"{low:g} to {high:g}"), "of all points, though most places of the curve have none"
    assert curve.lstrip().startswith("fit: rabi")
    assert found.plot().get_xlabel() == "x (V)"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Value(1.23456, 0.0123, "V"), "1.235 ± 0.012 V"),
        (Value(4.0123e-5, 1.2e-7, "s"), "(4.012 ± 0.012)e-05 s"),
        (Value(12345.6, 120.0), "(1.235 ± 0.012)e+04"),
        (Value(0.5, math.nan), "0.5"),
    ],
)
def test_a_value_is_written_to_the_digits_of_its_error(value, text):
    assert str(value) == text

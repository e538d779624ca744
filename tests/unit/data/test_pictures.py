"""Drawings in saved HTML: what their axes say, and that what nobody measured breaks none of them."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from qpi_jupyter.data import drawings
from qpi_jupyter.data.build import iq_dataset
from qpi_jupyter.data.conventions import CircuitInfo, Slots
from qpi_jupyter.data.pictures import axis_of, html_of, ticks
from qpi_jupyter.data.views import iq_points


def parsed(drawing: drawings.Drawing) -> ET.Element:
    return ET.fromstring(f"<div>{html_of(drawing)}</div>")


def texts(drawing: drawings.Drawing) -> list[str]:
    return [found.text or "" for found in parsed(drawing).iter("text")]


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((0, 3.1416), [0, 1, 2, 3]), ((-1.2, 1.1), [-1, -0.5, 0, 0.5, 1]), ((2, 2), [2]),
        ((3e6, 3.5e6), [3e6, 3.1e6, 3.2e6, 3.3e6, 3.4e6, 3.5e6]), ((0, 4e-9), [0, 1e-9, 2e-9, 3e-9, 4e-9]),
    ],
)  # fmt: skip
def test_numbers_at_axes_are_round(span: tuple[float, float], expected: list[float]) -> None:
    assert ticks(*span) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("label", "span", "expected", "numbers"),
    [
        ("Delay (s)", (0, 3e-8), "Delay (ns)", ["0", "5", "10", "15", "20", "25", "30"]),
        ("Frequency (Hz)", (5e9, 5.0004e9), "Frequency (GHz)", ["5", "5.0001", "5.0002", "5.0003", "5.0004"]),
        ("Length (s)", (0, 3600), "Length (s)", ["0", "1000", "2000", "3000"]),
        ("amp", (0, 4e-6), "amp (10^-6)", ["0", "1", "2", "3", "4"]),
        ("I (arb. unit)", (-2e6, 2e6), "I (10^6 arb. unit)", ["-2", "-1", "0", "1", "2"]),
        ("f(x) (rad)", (0, 0.5), "f(x) (rad)", ["0", "0.1", "0.2", "0.3", "0.4", "0.5"]),
        ("Point", (7, 7), "Point", ["7"]),
    ],
)
def test_an_axis_has_numbers_that_can_be_read(
    label: str, span: tuple[float, float], expected: str, numbers: list[str]
) -> None:
    axis = axis_of(label, span)
    assert (axis.label, [text for _, text in axis.ticks]) == (expected, numbers)


def test_a_curve_has_its_quantities_units_and_numbers() -> None:
    curve = drawings.lines(
        [0.0, 1.5, 3.0], {"<1>": [0.1, float("nan"), 0.9], "fit": [0.1, 0.5, 0.9]}, x_label="theta (rad)",
        y_label="Probability", label="rabi", dots=["<1>"],
    )  # fmt: skip
    assert texts(curve) == [
        "0",
        "0.5",
        "1",
        "1.5",
        "2",
        "2.5",
        "3",
        "0.2",
        "0.4",
        "0.6",
        "0.8",
        "theta (rad)",
        "Probability",
    ]
    (picture, *_) = parsed(curve).iter("svg")
    assert picture.get("aria-label") == "rabi: <1>, fit over theta (rad)"
    first, *_ = [path.get("d", "") for path in picture.iter("path")]
    assert first.count("M") == 2, "a point that lacks is not drawn"
    assert "".join(parsed(curve).itertext()).endswith("<1>fit")


def test_a_heat_map_has_a_cell_for_each_value_and_what_colours_mean() -> None:
    chart = drawings.heat_map(
        [0, 1, 2], [10, 20], [[0, 0.5, 1], [float("nan"), 1, 0]], x_label="amp", y_label="Delay (ns)", z_label="P of 1"
    )
    assert texts(chart) == [
        "-0.5",
        "0",
        "0.5",
        "1",
        "1.5",
        "2",
        "2.5",
        "5",
        "10",
        "15",
        "20",
        "25",
        "amp",
        "Delay (ns)",
    ]
    patches = [path.get("d", "") for path in parsed(chart).iter("path")]
    assert sorted(patch.count("z") for patch in patches) == [1, 2, 2], "a path for each colour, with its cells"
    assert "".join(parsed(chart).itertext()).endswith("01 P of 1.")


@pytest.mark.parametrize(("y", "what"), [([5.0, 5.0], "level"), ([float("nan")] * 2, "nothing"), ([0.0, 0.0], "zero")])
def test_a_curve_without_spread_is_drawn(y: list[float], what: str) -> None:
    for x in ([0.0, 1.0], [1.0, 1.0]):
        assert "nan" not in html_of(drawings.lines(x, {what: y}, x_label="x", y_label="y"))


@pytest.mark.parametrize("x", [[-1e308, 1e308], [5e-324, 1e-323], [1e-320, 1e308]])
def test_values_beyond_reason_are_drawn_all_the_same(x: list[float]) -> None:
    assert "<svg" in html_of(drawings.lines(x, {"y": x}, x_label="x (s)", y_label="y"))


def test_points_have_the_threshold_between_their_centres() -> None:
    points = np.concatenate([np.full((6, 1), -1 + 0.5j), np.full((4, 1), 3 - 0.5j)])
    about = CircuitInfo(name="c", shots=10, memory_slots=1, n_qubits=1, creg_sizes=(("c", 1),), meas_level=1)
    view = iq_points(iq_dataset(about, points, Slots(clbit=(0,), qubit=(0,), acq_index=(0,))))
    drawing = drawings.iq(view)
    plane = parsed(drawing)
    (threshold,) = [line for line in plane.iter("line") if line.get("data-threshold")]
    x1, x2, left, right = (float(threshold.get(name, "")) for name in ("x1", "x2", "y1", "y2"))
    assert (left - 160) * (right - 160) < 0, "it goes through the middle"
    assert min(x1, x2) < 64 + 160 < max(x1, x2)
    assert texts(drawing)[-2:] == ["I (arb. unit)", "Q (arb. unit)"]
    assert "10 shots; 4 read as 1, beyond the dashed threshold" in "".join(plane.itertext())
    assert "11 shots, 10 of them drawn; 4 of these read as 1" in html_of(drawing | {"total": 11})
    apart = drawing | {"centres": [[0.0, 0.0]] * 2, "fidelity": None}
    assert not [line for line in parsed(apart).iter("line") if line.get("data-threshold")]
    lost = drawing | {"i": [None] * 10, "q": [None] * 10}
    assert "No points" in html_of(lost)

"""Sweeps of a primitive's pub: drawn as a lab's own are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from qiskit import QuantumCircuit
from qiskit.primitives import BitArray

from qpi_jupyter.data.curves import drawing_of
from qpi_jupyter.data.header import result_header
from qpi_jupyter.data.pub_results import pub_dataset

SHOTS = 4


def pub(parameters: dict[str, Any], data: dict[str, Any], shape: tuple[int, ...]) -> xr.Dataset:
    return pub_dataset(
        0, QuantumCircuit(2, 2), {name: np.asarray(values) for name, values in parameters.items()}, data,
        shape=shape, shots=SHOTS, pub_metadata={}, result_metadata={},
    )  # fmt: skip


def register(outcomes: Any, num_bits: int = 2) -> BitArray:
    """Outcomes of each shot, shape ``(..., shots)``."""
    width = -(-num_bits // 8)
    values = np.asarray(outcomes, dtype=object)
    raw = b"".join(int(value).to_bytes(width, "big") for value in values.flat)
    return BitArray(np.frombuffer(raw, dtype=np.uint8).reshape(*values.shape, width), num_bits)


def test_a_curve_over_one_parameter() -> None:
    bits = register([[0, 0, 0, 0], [0, 0, 3, 3], [3, 3, 3, 3]])
    drawing = drawing_of(pub({"theta": [0.0, 1.0, 2.0], "fixed": 7.0}, {"meas": bits}, (3,)))
    assert (drawing["draw"], drawing["x"], drawing["x_label"]) == ("lines", [0, 1, 2], "theta")
    assert (drawing["y_label"], [line["label"] for line in drawing["lines"]]) == ("Probability", ["00", "11"])
    assert [line["y"] for line in drawing["lines"]] == [[1, 0.5, 0], [0, 0.5, 1]]


def test_registers_have_lines_of_their_own() -> None:
    a, b = register([[0, 1, 0, 1], [1, 1, 1, 1]], 1), register([[2, 2, 2, 2], [2, 2, 2, 2]])
    drawing = drawing_of(pub({"theta": [0.0, 1.0]}, {"a": a, "b": b}, (2,)))
    assert {line["label"]: line["y"] for line in drawing["lines"]} == {"a 0": [0.5, 0], "a 1": [0.5, 1], "b 10": [1, 1]}


def test_bits_beyond_a_word_are_told_apart() -> None:
    high = 1 << 69
    drawing = drawing_of(pub({"theta": [0.0, 1.0]}, {"c": register([[0, high, high, high], [0] * 4], 70)}, (2,)))
    assert {line["label"].count("0"): line["y"] for line in drawing["lines"]} == {70: [0.25, 1], 69: [0.75, 0]}


def test_a_heat_map_over_two() -> None:
    theta, phi = np.meshgrid([0.0, 1.0, 2.0], [0.0, 5.0], indexing="ij")
    outcomes = np.zeros((3, 2, SHOTS), dtype=int)
    outcomes[2, 1] = 1
    drawing = drawing_of(pub({"theta": theta, "phi": phi}, {"c": register(outcomes, 1)}, (3, 2)))
    assert (drawing["draw"], drawing["x_label"], drawing["y_label"]) == ("heat_map", "phi", "theta")
    assert drawing["z"] == [[1, 1], [1, 1], [1, 0]]


def test_expectation_values_have_a_line_for_each_observable() -> None:
    evs = np.array([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]])
    drawing = drawing_of(pub({"theta": [[0.0, 1.0, 2.0]]}, {"evs": evs, "stds": evs / 10}, (2, 3)))
    assert (drawing["x_label"], drawing["y_label"]) == ("theta", "Expectation value")
    assert {line["label"]: line["y"] for line in drawing["lines"]} == {"evs[0]": [0, 0.5, 1], "evs[1]": [1, 1, 1]}
    one = drawing_of(pub({"theta": [0.0, 1.0, 2.0]}, {"evs": evs[0], "stds": evs[0]}, (3,)))
    assert [line["label"] for line in one["lines"]] == ["Expectation value"]


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 2, 2)])
def test_what_is_no_sweep_of_one_or_two_is_a_table(shape: tuple[int, ...]) -> None:
    axes = np.meshgrid(*[np.arange(float(length)) for length in shape], indexing="ij") if len(shape) > 2 else []
    found = {f"p{k}": values for k, values in enumerate(axes)}
    drawing = drawing_of(pub(found, {"c": register(np.zeros((*shape, SHOTS), dtype=int))}, shape))
    count = SHOTS * int(np.prod(shape))
    assert (drawing["draw"], drawing["rows"][0][3]) == ("table", f"00: {count}")


def test_the_lab_draws_it_and_far_too_many_outcomes_as_a_table() -> None:
    (circuit,) = result_header([pub({"theta": [0.0, 1.0]}, {"c": register([[0] * 4, [1] * 4])}, (2,))])["circuits"]
    assert [one["draw"] for one in circuit["drawings"]] == ["lines"]
    rng = np.random.default_rng(1)
    many = BitArray(rng.integers(0, 256, (200, 300, 9), dtype=np.uint8), 72)
    sweep = pub({"theta": np.arange(200.0)}, {"c": many}, (200,))
    assert drawing_of(sweep)["draw"] == "table"

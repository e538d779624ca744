"""From values by parameter to rows and axes, and the key that finds a sweep's job again."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from qiskit import QuantumCircuit
from qiskit.circuit import Gate, Parameter, ParameterVector

from qpi_jupyter.client import programs, sweeps
from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.core.formats import MAX_CIRCUITS
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import SweepAxisIn

TEXT = "OPENQASM 3.0; input float theta; input float phi; qubit q; bit c; U(theta, phi, 0) q; c = measure q;"


def ramsey(*names: str, name: str | None = None) -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1, name=name)
    for parameter in names:
        circuit.rz(Parameter(parameter), 0)
    circuit.measure(0, 0)
    return circuit


def test_one_parameter_is_one_axis_and_a_number_stays_as_it_is() -> None:
    found = sweeps.rows_of(ramsey("phi", "a"), {"phi": np.array([0.0, 1.0]), "a": 3}, zipped=False)
    assert found.parameter_values == [[3.0, 0.0], [3.0, 1.0]], "in the circuit's order, which is that of the names"
    assert found.axes == [SweepAxisIn(parameters=["phi"], length=2)]


def test_two_parameters_are_a_grid_whose_last_axis_runs_fastest_or_go_together() -> None:
    values = {"phi": [1, 2], "a": [3, 4]}
    grid = sweeps.rows_of(ramsey("a", "phi"), values, zipped=False)
    assert grid.parameter_values == [[3, 1], [4, 1], [3, 2], [4, 2]]
    assert [(axis.parameters, axis.length) for axis in grid.axes] == [(["phi"], 2), (["a"], 2)]
    together = sweeps.rows_of(ramsey("a", "phi"), values, zipped=True)
    assert together.parameter_values == [[3, 1], [4, 2]]
    assert [(axis.parameters, axis.length) for axis in together.axes] == [(["phi", "a"], 2)]


def test_units_come_with_xarrays_coordinates_and_texts_and_vectors_have_names_too() -> None:
    delay = xr.DataArray([1e-6, 2e-6], dims="delay", attrs={"units": "s"})
    assert sweeps.rows_of(ramsey("delay"), {"delay": delay}, zipped=False).axes[0].units == {"delay": "s"}
    text = sweeps.rows_of(TEXT, {"theta": [1, 2], "phi": 7}, zipped=False)
    assert text.parameter_values == [[7, 1], [7, 2]]
    vector = ParameterVector("v", 2)
    circuit = QuantumCircuit(1, 1)
    circuit.u(vector[0], vector[1], 0, 0)
    assert sweeps.rows_of(circuit, {"v[0]": [1, 2], "v[1]": 0}, zipped=False).parameter_values == [[1, 0], [2, 0]]


@pytest.mark.parametrize(
    ("values", "zipped", "message"),
    [
        ({"x": [1]}, False, "The circuit's parameters are a, b; the sweep has values for x"),
        ({"a": [1, 2]}, False, "The circuit's parameters are a, b; the sweep has values for a"),
        ({"a": 1, "b": 2}, False, "needs a parameter with several values"),
        ({"a": [1, 2], "b": [1, 2, 3]}, True, "as many values each; here: a 2, b 3"),
        ({"a": [1, math.nan], "b": 1}, False, "The values of 'a' have nan"),
        ({"a": [], "b": 1}, False, "This sweep has 0 points"),
        ({"a": range(103), "b": range(100)}, False, f"has 10,300 points; one job has 1 to {MAX_CIRCUITS:,}"),
    ],
)
def test_what_is_no_sweep_is_refused(values: dict[str, Any], zipped: bool, message: str) -> None:
    with pytest.raises(QpiError, match=message):
        sweeps.rows_of(ramsey("a", "b"), values, zipped=zipped)
    with pytest.raises(TypeError, match="values of 'a' are a list of numbers"):
        sweeps.rows_of(ramsey("a"), {"a": ["one", "two"]}, zipped=False)


def test_a_word_that_is_neither_parameter_nor_option_says_what_was_meant() -> None:
    with pytest.raises(TypeError, match=r"sweep\(\) has no option 'shotz'. Did you mean shots"):
        sweeps.check_words(ramsey("a"), ["a", "shotz"], ["qpu", "shots"])
    with pytest.raises(TypeError, match=r"no option 'theat'\. Did you mean theta"):
        sweeps.check_words(ramsey("theta"), ["theat"], ["qpu", "shots"])
    sweeps.check_words(ramsey("shotz"), ["shotz"], ["shots"])


def key(circuit: Any, *, qpu: str = "q1", **changed: Any) -> str:
    values = changed.pop("values", {"a": [1.0, 2.0]})
    options = programs.options_of(circuit, **{"shots": 10, "seed_simulator": 1, **changed})
    options.circuits = [sweeps.rows_of(circuit, values, zipped=False)]
    return sweeps.key_of(circuit, SubmitRequest(program=programs.program_of(circuit), options=options, qpu=qpu))


def with_own_gate(angle: float) -> QuantumCircuit:
    inside = QuantumCircuit(1)
    inside.rx(angle, 0)
    gate = Gate("mine", 1, [])
    gate.definition = inside
    circuit = ramsey("a")
    circuit.append(gate, [0])
    return circuit


def with_branch(outcome: int) -> QuantumCircuit:
    circuit = ramsey("a")
    with circuit.if_test((circuit.clbits[0], outcome)):
        circuit.x(0)
    return circuit


def test_the_key_is_of_what_is_measured() -> None:
    same = key(ramsey("a", name="one"))
    assert same == key(ramsey("a", name="another"))
    others = [
        key(ramsey("a"), qpu="q2"), key(ramsey("a"), shots=11), key(ramsey("a"), seed_simulator=None),
        key(ramsey("a"), values={"a": [1.0, 2.5]}), key(ramsey("a"), meas_level=1), key(with_own_gate(1.0)),
        key(with_own_gate(2.0)), key(with_branch(0)), key(with_branch(1)),
    ]  # fmt: skip
    assert len({same, *others}) == 1 + len(others)
    assert key(with_own_gate(1.0)) == key(with_own_gate(1.0))
    assert key(with_branch(1)) == key(with_branch(1))


def test_the_key_is_the_same_in_another_process() -> None:
    script = "from tests.unit.test_client_sweeps import *; print(key(with_own_gate(1.0)), key(with_branch(1)))"
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root)
    assert said.stdout.split() == [key(with_own_gate(1.0)), key(with_branch(1))]

"""A delay lasts as long as it says, whatever carries the circuit: T1 of a fake device by the lab and by plain Aer."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pytest
import qiskit_aer
from qiskit import QuantumCircuit, qasm3
from qiskit.circuit import Duration, Parameter
from qiskit.circuit.classical import expr
from qiskit.transpiler import generate_preset_pass_manager

from qpi_executors import run_program
from qpi_executors.aer import AerExecutor
from qpi_executors.aer_models import load_backend
from qpi_jupyter.client.programs import options_of, program_of
from qpi_jupyter.wire.jobs import SubmitRequest

pytestmark = pytest.mark.slow

DEVICE = "FakeVigoV2"
RUN: dict[str, Any] = {"shots": 500, "seed_simulator": 3}
SAME = [(100_000, "ns"), (100, "us"), (0.1, "ms"), (1e-4, "s"), (1e8, "ps"), (450_000, "dt")]
"""One time in all units: dt is 2/9 ns on this device."""


@pytest.fixture(scope="module")
def executor() -> AerExecutor:
    return AerExecutor(fake_backend=DEVICE)


@pytest.fixture(scope="module")
def decayed(executor: AerExecutor) -> dict[str, int]:
    """By plain Aer."""
    aer = qiskit_aer.AerSimulator.from_backend(load_backend(DEVICE))
    passes = generate_preset_pass_manager(1, aer, seed_transpiler=0)
    counts = aer.run(passes.run(waiting(100_000, "ns")), **RUN).result().get_counts()
    assert 0.3 < counts["1"] / RUN["shots"] < 0.7  # T1 is of that order
    return dict(counts)


def waiting(duration: Any, unit: str | None) -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.delay(duration, 0, unit=unit)
    circuit.measure(0, 0)
    return circuit


def by_lab(executor: AerExecutor, circuit: QuantumCircuit | str, **options: Any) -> dict[str, int]:
    request = SubmitRequest(program=program_of(circuit), options=options_of(circuit, **RUN, **options))
    (dataset,) = run_program(executor, request.to_program())
    return dataset.qpi.counts()


@pytest.mark.parametrize(("duration", "unit"), SAME)
def test_a_delay_in_any_unit(executor, decayed, duration, unit):
    circuit = waiting(duration, unit)
    assert by_lab(executor, circuit) == by_lab(executor, qasm3.dumps(circuit)) == decayed


@pytest.mark.parametrize(("duration", "unit"), SAME)
def test_a_delay_of_a_parameter(executor, decayed, duration, unit):
    t = Parameter("t")
    assert by_lab(executor, waiting(t, unit), parameter_values=[duration]) == decayed
    assert by_lab(executor, waiting(2 * t, unit), parameter_values=[duration / 2]) == decayed


@pytest.mark.filterwarnings("ignore:Duration is rounded:UserWarning")
def test_a_delay_of_an_expression(executor, decayed):
    assert by_lab(executor, waiting(expr.lift(Duration.us(100)), None)) == decayed


@pytest.mark.parametrize("unit", ["dt", "ps", "ns", "us", "ms", "s"])
def test_an_ideal_simulator_takes_delays_of_every_unit(unit):
    durations = [3, Parameter("t")] + ([1.5] if unit != "dt" else [])
    for duration in durations:
        values = {} if isinstance(duration, (int, float)) else {"parameter_values": [4]}
        assert by_lab(AerExecutor(), waiting(duration, unit), **values) == {"1": RUN["shots"]}


@pytest.mark.parametrize(("duration", "unit"), [(7, "dt"), (30.5, "us"), (50_001, "ns"), (1e-5, "s"), (0.0, "ns")])
def test_a_delay_of_any_length(executor, duration, unit):
    """Real electronics want multiples of 16 dt; plain Qiskit refuses the others for a simulator too."""
    dt_s = 2e-9 / 9
    seconds = duration * {"dt": dt_s, "us": 1e-6, "ns": 1e-9, "s": 1}[unit]
    nearest = waiting(round(seconds / dt_s), "dt")
    circuit = waiting(duration, unit)
    aer = qiskit_aer.AerSimulator.from_backend(load_backend(DEVICE))
    with pytest.warns(UserWarning, match="rounded") if unit == "ns" and duration else nullcontext():
        counts = by_lab(executor, circuit)
    assert counts == dict(aer.run(nearest, **RUN).result().get_counts())

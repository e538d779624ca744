"""What executors say of their calibration, and what results say they were measured with."""

from __future__ import annotations

import pytest

from qpi_executors import load, run_program
from qpi_executors.base import Executor
from qpi_executors.primitives import for_program, offered
from qpi_jupyter.core import Calibration, QubitProperties, Rejected
from tests.circuits import bell, qpy_program


def stamped(executor: Executor, **asked: str) -> str:
    (dataset,) = run_program(executor, qpy_program(bell(), shots=10), **asked)
    return str(dataset.qpi.info["provenance"]["calibration_id"])


def test_the_calibration_is_that_of_the_manifest_by_default() -> None:
    noisy = load("qiskit_aer", num_qubits=2, noise_model={"gate_1q": 0.01, "readout": 0.02})
    calibration = noisy.calibration()
    assert len(calibration.id) == 16
    assert (noisy.manifest.calibration_id, offered(noisy).calibration_id) == (calibration.id, calibration.id)
    assert stamped(noisy) == calibration.id
    assert load("qiskit_aer").calibration().id == ""
    other = load("qiskit_aer", num_qubits=2, noise_model={"gate_1q": 0.01, "readout": 0.03})
    assert other.calibration().id != calibration.id


def test_results_are_stamped_with_what_the_executor_says_then() -> None:
    class Calibrating(type(load("qiskit_aer"))):  # type: ignore[misc]  # made at run time
        found = Calibration(id="first", qubits=(QubitProperties(t1_s=1e-5),))

        def calibration(self) -> Calibration:
            return self.found

    executor = Calibrating(num_qubits=2)
    assert executor.manifest.qubits == executor.found.qubits
    assert stamped(executor) == "first"
    executor.found = Calibration(id="second")
    assert stamped(executor, calibration="second") == "second"
    with pytest.raises(Rejected, match="for calibration first of qiskit_aer, and its calibration is second now"):
        stamped(executor, calibration="first")


def test_primitives_have_the_calibration_of_what_runs_them() -> None:
    noisy = load("qiskit_aer", num_qubits=2, noise_model={"readout": 0.02})
    sampler = for_program(noisy, qpy_program(bell()))
    assert sampler.calibration() == noisy.calibration()
    from qpi_executors.primitives.on_executor import Primitives

    assert Primitives(noisy).calibration() == noisy.calibration()

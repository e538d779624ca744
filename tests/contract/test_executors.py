"""What an executor that computes Qiskit's circuits promises, on every installed one of circuits: what is shipped for
others, and what the built-in ones promise beyond."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from qpi_executors import CircuitExecutor, names, run_program
from qpi_executors.conformance.programs import BELL_QASM2, BELL_QASM3, bell, qpy_program, text_program
from qpi_executors.conformance.test_circuits import *  # noqa: F403
from qpi_executors.instruments.executor import PulseExecutor
from qpi_executors.registry import EXECUTORS
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.programs import digest, pack
from qpi_jupyter.data.conventions import provenance

HERE = [name for name in names() if name not in ("gpu", "custatevec")]
"""Those that need no hardware: what the others promise, `tests/unit/executors/test_gpu.py` looks at."""


@pytest.fixture(scope="module", params=[name for name in HERE if issubclass(EXECUTORS.load(name), CircuitExecutor)])
def qpi_executor_name(request):
    return request.param


def test_the_built_in_ones_are_installed():
    assert {"custatevec", "gpu", "mock", "qblox", "qiskit_aer", "quantify"} <= set(names())
    assert [member.problem for member in EXECUTORS.checked() if member.name == "mock"] == [""]


@pytest.mark.parametrize(
    "program",
    [
        text_program(BELL_QASM2, "openqasm2"),
        text_program(BELL_QASM3),
        replace(text_program(BELL_QASM3), sources=(BELL_QASM3, BELL_QASM3 + b"// again")),
        qpy_program(bell()),
        qpy_program(bell(), bell()),
    ],
    ids=["openqasm2", "openqasm3", "two texts", "qpy", "two circuits in one file"],
)
def test_a_result_names_its_program_as_its_job_does(qpi_executor, program):
    packed = pack(program.sources)
    assert program.sha256 == digest(packed) == hashlib.sha256(packed).hexdigest()
    for dataset in run_program(qpi_executor, program):
        assert provenance(dataset.attrs).program_sha256 == program.sha256
        assert dataset.qpi.info["provenance"]["libraries"]["qiskit"]


def test_counts_without_single_shots_are_all_that_is_sent(qpi_executor):
    (dataset,) = run_program(qpi_executor, qpy_program(bell(), shots=30, memory=False))
    assert list(dataset.data_vars) == ["count"]
    with pytest.raises(Rejected, match="memory=True"):
        dataset.qpi.bits()


def test_a_result_names_its_seed(qpi_executor):
    (dataset,) = run_program(qpi_executor, qpy_program(bell()))
    assert dataset.qpi.info["seed"] >= 0


def test_the_mean_of_a_trace_is_the_point_of_its_shot(qpi_executor):
    if 0 not in qpi_executor.capabilities().meas_levels:
        with pytest.raises(Rejected, match="meas_level 0"):
            qpi_executor.validate(qpy_program(bell(), meas_level=0))
        return
    seeded = {"shots": 40, "seed_simulator": 9}
    if isinstance(qpi_executor, PulseExecutor):  # the instrument adds up what comes; tests/integration/test_pulses.py
        with pytest.raises(Rejected, match="meas_return='avg'"):
            qpi_executor.validate(qpy_program(bell(), meas_level=0, **seeded))
        return
    (points,) = run_program(qpi_executor, qpy_program(bell(), meas_level=1, **seeded))
    (traces,) = run_program(qpi_executor, qpy_program(bell(), meas_level=0, **seeded))
    assert traces.qpi.traces().shape == (40, 2, 100)
    assert traces.qpi.traces().mean(axis=-1) == pytest.approx(points.qpi.iq().values)
    early, late = (traces.qpi.traces()[:, :, part].mean(axis=-1) for part in (slice(10), slice(-10, None)))
    assert abs(early).mean() < abs(late).mean(), "the resonator rings up"
    (mean,) = run_program(qpi_executor, qpy_program(bell(), meas_level=0, meas_return="avg", **seeded))
    assert mean.qpi.traces() == pytest.approx(traces.qpi.traces().mean(axis=0))
    assert mean.coords["time"].values[[0, -1]] == pytest.approx([0, 0.99e-6])
    assert mean.qpi.to_qiskit().get_memory().shape == (2, 100)


def test_iq_points_agree_with_the_bits_and_repeat_with_the_seed(qpi_executor):
    first, second = (
        run_program(qpi_executor, qpy_program(bell(), meas_level=1, seed_simulator=9))[0] for _ in range(2)
    )
    assert first.qpi.iq().shape == (1024, 2)
    assert (first.qpi.iq() == second.qpi.iq()).all()
    found = first.qpi.counts()
    assert found["00"] + found["11"] > 0.9 * 1024
    (mean,) = run_program(qpi_executor, qpy_program(bell(), meas_level=1, meas_return="avg", seed_simulator=9))
    assert mean.qpi.iq().values == pytest.approx(first.qpi.iq().mean("shot").values)

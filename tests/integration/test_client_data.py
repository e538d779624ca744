"""Results on their way to a person: datasets, Qiskit's results, the primitives."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
import pytest
import xarray as xr
from qiskit import QuantumCircuit, qpy, transpile
from qiskit.circuit import Parameter
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.primitives.containers import BitArray
from qiskit.providers import JobStatus
from qiskit.providers.basic_provider import BasicSimulator
from qiskit.quantum_info import SparsePauliOp

from qpi_jupyter.client import JobHandle, Lab
from qpi_jupyter.core.errors import ProgramError, QpiError, Unavailable
from qpi_jupyter.data import conventions as c
from qpi_jupyter.data.build import bits_dataset, stamp
from qpi_jupyter.data.codec import encode
from qpi_jupyter.wire.jobs import JobModel, SubmitRequest
from tests.faults.scripted_rest import TOKEN, ScriptedLab


def info(circuit: QuantumCircuit, shots: int, **more: Any) -> c.CircuitInfo:
    return c.CircuitInfo(
        **more, name=circuit.name, shots=shots, memory_slots=circuit.num_clbits, n_qubits=circuit.num_qubits,
        creg_sizes=tuple((register.name, register.size) for register in circuit.cregs),
        qreg_sizes=tuple((register.name, register.size) for register in circuit.qregs),
    )  # fmt: skip


def simulate(request: SubmitRequest) -> list[xr.Dataset]:
    """What an executor would answer, by Qiskit's own simulator."""
    datasets = []
    shots = request.options.shots
    for circuit, own in zip_longest(qpy.load(io.BytesIO(request.program.data[0])), request.options.circuits):
        names = [parameter.name for parameter in circuit.parameters]
        for row, values in enumerate(own.parameter_values if own else [[]]):
            bound = transpile(circuit.assign_parameters(values), BasicSimulator())
            run = BasicSimulator().run(bound, shots=shots, memory=True, seed_simulator=1)
            words = [word.replace(" ", "") for word in run.result().get_memory()]
            bits = np.array([[int(bit) for bit in reversed(word)] for word in words], dtype=np.int8)
            swept = {"row": row, "parameters": dict(zip(names, values, strict=True))} if names else {}
            seed = request.options.seed_simulator
            datasets.append(bits_dataset(info(circuit, shots, seed=seed, **swept), bits))
    stamp(datasets, ORIGIN)
    return datasets


ORIGIN = c.Provenance(
    executor="basic", executor_version="1", program_sha256="0" * 64, simulator=True, busy_s=0.1,
    started_at="2026-01-01T00:00:00Z", finished_at="2026-01-01T00:00:01Z",
)  # fmt: skip


@pytest.fixture
def server() -> Iterator[ScriptedLab]:
    with ScriptedLab() as server:

        def run(model: JobModel) -> None:
            server.finish(model.id, blob=encode(simulate(server.submits[-1])))

        server.on_submit = run
        yield server


@pytest.fixture
def lab(server: ScriptedLab) -> Iterator[Lab]:
    with Lab(server.url, TOKEN, retry_s=2.0) as lab:
        yield lab


def ghz() -> QuantumCircuit:
    circuit = QuantumCircuit(3, name="ghz")
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    return circuit


def test_a_dataset_comes_once_with_its_accessor(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(ghz(), shots=50)
    data = job.dataset()
    assert isinstance(data, xr.Dataset)
    assert set(data.qpi.counts()) <= {"000", "111"}
    assert job.dataset() is data
    assert [path for _, path in server.requests].count(f"/qpi/v1/jobs/{job.id}/dataset") == 1


def test_several_circuits_are_a_tree(lab: Lab) -> None:
    data = lab.submit([ghz(), ghz()], shots=10).dataset()
    assert isinstance(data, xr.DataTree)
    assert list(data.children) == ["ghz", "ghz_1"]


def test_a_cut_download_goes_on_where_it_was(server: ScriptedLab, lab: Lab) -> None:
    server.cut_blob_at = 700
    assert lab.submit(ghz(), shots=50).dataset().sizes["shot"] == 50


def test_a_damaged_download_is_refused(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(ghz(), shots=50)
    server.blobs[job.id] = server.blobs[job.id][:-1] + b"?"
    with pytest.raises(Unavailable, match="damaged"):
        job.dataset()


def test_a_job_without_data_says_so(server: ScriptedLab, lab: Lab) -> None:
    server.on_submit = lambda model: server.finish(model.id, counts=[{"0": 1}])
    with pytest.raises(QpiError, match="no dataset"):
        lab.submit(ghz()).dataset()


def test_result_with_memory_has_every_shot(lab: Lab) -> None:
    result = lab.submit(ghz(), shots=40).result(memory=True)
    memory = result.get_memory()
    assert len(memory) == 40
    assert set(memory) <= {"000", "111"}


def test_truncated_counts_are_completed_from_the_data(server: ScriptedLab, lab: Lab) -> None:
    job = lab.submit(ghz(), shots=40)
    header = {
        "name": "ghz", "creg_sizes": [["meas", 3]], "qreg_sizes": [["q", 3]], "memory_slots": 3, "n_qubits": 3,
        "metadata": {},
    }  # fmt: skip
    cut: dict[str, Any] = {
        "shots": 40,
        "success": True,
        "truncated": True,
        "data": {"counts": {"0x0": 1}},
        "header": header,
    }
    server.results[job.id] = {"backend_name": "sim-a", "job_id": job.id, "success": True, "results": [cut]}
    counts = job.counts()
    assert isinstance(counts, dict)
    assert sum(counts.values()) == 40
    assert sum(job.result().get_counts().values()) == 40


def test_backend_run_is_qiskits_run(server: ScriptedLab, lab: Lab) -> None:
    backend = lab.backend("sim-a")
    job = backend.run(transpile(ghz(), backend), shots=30, memory=True, seed_simulator=4)
    assert job.status() is JobStatus.DONE
    assert len(job.result().get_memory()) == 30
    assert job.backend() is backend
    assert (server.submits[0].qpu, server.submits[0].options.seed_simulator) == ("sim-a", 4)
    assert isinstance(backend.retrieve_job(job.job_id()).handle, JobHandle)
    with pytest.raises(TypeError, match="no option 'sots'"):
        backend.run(ghz(), sots=3)


def test_backend_options_are_defaults_and_bounded(server: ScriptedLab, lab: Lab) -> None:
    backend = lab.backend("sim-b")
    backend.set_options(shots=77)
    backend.run(transpile(ghz(), backend))
    assert server.submits[0].options.shots == 77
    with pytest.raises(ValueError, match="shots"):
        backend.set_options(shots=10_001)


def test_a_failed_backend_job_raises_its_error(server: ScriptedLab, lab: Lab) -> None:
    server.on_submit = lambda model: server.fail(model.id, ProgramError("no measurement"))
    job = lab.backend("sim-a").run(ghz())
    assert job.status() is JobStatus.ERROR
    with pytest.raises(ProgramError, match="no measurement"):
        job.result()


def test_the_sampler_runs_on_a_qpu(lab: Lab) -> None:
    backend = lab.backend("sim-b")
    result = BackendSamplerV2(backend=backend).run([transpile(ghz(), backend, seed_transpiler=1)], shots=60).result()
    bits = result[0].data.meas
    assert isinstance(bits, BitArray)
    assert bits.num_shots == 60
    assert set(bits.get_counts()) <= {"000", "111"}


def test_the_estimator_runs_on_a_qpu(server: ScriptedLab, lab: Lab) -> None:
    def run(model: JobModel) -> None:
        datasets = simulate(server.submits[-1])
        server.results[model.id] = _json(datasets, model.id)
        server.finish(model.id, blob=encode(datasets))

    server.on_submit = run
    backend = lab.backend("sim-a")
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    result = BackendEstimatorV2(backend=backend).run([(circuit, SparsePauliOp(["ZZ", "XX"], [1.0, 2.0]))]).result()
    assert result[0].data.evs == pytest.approx(3.0)


def _json(datasets: list[xr.Dataset], job_id: str) -> dict[str, Any]:
    from qpi_jupyter.core.results import qiskit_result
    from qpi_jupyter.data.header import result_header

    return qiskit_result(result_header(datasets), job_id, "sim-a")


def test_qpy_bytes_are_taken_as_they_are(server: ScriptedLab, lab: Lab) -> None:
    file = io.BytesIO()
    qpy.dump(ghz(), file)
    lab.submit(file.getvalue())
    assert server.submits[0].program.data == [file.getvalue()]
    assert base64.b64encode(file.getvalue()).startswith(b"UUlTS0lU")


def test_a_dataset_says_whose_it_is_in_flat_attributes(lab: Lab, tmp_path) -> None:
    job = lab.submit(ghz(), shots=50, seed_simulator=3)
    data = job.dataset()
    told = data.attrs
    assert (told["job_id"], told["qpu"], told["name"], told["shots"], told["seed"]) == (
        job.id,
        job.model.qpu,
        "ghz",
        50,
        3,
    )
    assert told["executor"]
    assert told["started_at"]
    assert not any(str(value).startswith("{") for value in told.values())
    data.to_netcdf(tmp_path / "file.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "file.nc", engine="h5netcdf") as again:
        assert again.qpi.counts() == data.qpi.counts()
        assert again.qpi.info == data.qpi.info
        assert again.qpi.info["job_id"] == job.id


def test_a_sweep_is_one_dataset(lab: Lab) -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(1, 1, name="rabi")
    circuit.rx(theta, 0)
    circuit.measure(0, 0)
    job = lab.submit(circuit, shots=20, parameter_values={theta: [0.0, 0.5, 1.0, 3.0]})
    data = job.dataset()
    assert data.bit.dims == ("theta", "shot", "slot")
    assert data.theta.values.tolist() == [0.0, 0.5, 1.0, 3.0]
    assert data.attrs["name"] == "rabi"
    assert [sum(counts.values()) for counts in data.qpi.counts()] == [20] * 4
    assert [experiment.header["name"] for experiment in job.result(memory=True).results] == ["rabi"] * 4
    assert data.isel(theta=2).qpi.counts() == data.qpi.counts()[2]


def test_a_sweep_without_a_name_is_called_by_its_circuit(lab: Lab) -> None:
    circuit = QuantumCircuit(1, 1, name="rabi")
    circuit.rx(Parameter("theta"), 0)
    circuit.measure(0, 0)
    assert lab.sweep(circuit, theta=[0.0, 1.0], shots=20).name == "rabi"
    assert lab.sweep(circuit, theta=[0.0, 1.0], shots=20, name="mine", new=True).name == "mine"

"""Every call of IBM's client that reaches a server, against a real lab: ``python runtime_script.py URL TOKEN``, with
the client of whatever version is on the path."""

from __future__ import annotations

import sys
import warnings
from datetime import UTC, datetime, timedelta

import numpy as np
import qiskit_ibm_runtime
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp
from qiskit_ibm_runtime import Batch, EstimatorV2, SamplerV2, Session
from qiskit_ibm_runtime.exceptions import RuntimeInvalidStateError, RuntimeJobNotFound, RuntimeProgramNotFound

import qpi_jupyter

NOISY, IDEAL = "fake_manila@aer", "fake_manila@ideal"


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("theta"), 0)
    return circuit


def check_backends(service: qiskit_ibm_runtime.QiskitRuntimeService) -> None:
    assert len(service.instances()) == 1
    assert [backend.name for backend in service.backends("sim-a")] == ["sim-a"]
    assert service.least_busy().status().operational
    backend = service.backend(NOISY)
    assert (backend.num_qubits, backend.status().operational) == (5, True)
    assert backend.properties().t1(0) > 0
    assert backend.properties(datetime=datetime.now(UTC)) is not None
    assert "cx" in backend.target.operation_names
    assert service.usage()["usage_consumed_seconds"] >= 0


def check_jobs(service: qiskit_ibm_runtime.QiskitRuntimeService) -> None:
    backend = service.backend(NOISY)
    passes = generate_preset_pass_manager(1, backend=backend)
    options = {"environment": {"job_tags": ["old"]}, "default_shots": 333}
    job = SamplerV2(mode=backend, options=options).run([passes.run(bell())])
    assert job.result()[0].data.meas.num_shots == 333
    assert job.status() == "DONE"
    assert job.metrics()["usage"]["status"] == "final"
    assert job.usage() > 0
    assert "completed" in job.logs()
    assert job.inputs["pubs"][0][0].num_clbits == 2
    assert job.creation_date > datetime.now(UTC) - timedelta(hours=1)
    job.update_tags(["older"])
    again = service.job(job.job_id())
    assert (again.tags, again.backend().name, again.primitive_id) == (["older"], NOISY, "sampler")
    assert [one.job_id() for one in service.jobs(job_tags=["older"], backend_name=NOISY)] == [job.job_id()]
    try:
        job.cancel()
    except RuntimeInvalidStateError:
        pass
    else:
        raise AssertionError("a job that is over was cancelled")
    service.delete_job(job.job_id())
    try:
        service.job(job.job_id())
    except RuntimeJobNotFound:
        pass
    else:
        raise AssertionError("a deleted job is still there")


def check_sweeps(service: qiskit_ibm_runtime.QiskitRuntimeService) -> None:
    backend = service.backend(IDEAL)
    compiled = generate_preset_pass_manager(1, backend=backend).run(turned())
    observable = SparsePauliOp("Z").apply_layout(compiled.layout)
    angles = np.linspace(0, np.pi, 3)[:, None]
    job = EstimatorV2(mode=backend, options={"default_precision": 0.02}).run([(compiled, observable, angles)])
    assert np.abs(job.result()[0].data.evs - np.cos(angles[:, 0])).max() < 0.12


def check_sessions(service: qiskit_ibm_runtime.QiskitRuntimeService) -> None:
    for mode, name in ((Session, "sim-b"), (Batch, "sim-b"), (Session, NOISY)):
        backend = service.backend(name)
        circuit = generate_preset_pass_manager(1, backend=backend).run(bell())
        with mode(backend=backend, max_time=120) as session:
            job = SamplerV2(mode=session).run([circuit], shots=20)
            assert job.result()[0].data.meas.num_shots == 20
            assert session.status() == "In progress, accepting new jobs"
            assert session.details()["backend_name"] == name
            assert mode.from_id(session.session_id, service).session_id == session.session_id
            assert job.session_id == session.session_id
        assert session.status() == "Closed"
        assert session.usage() >= 0
    cancelled = Session(backend=service.backend("sim-b"))
    cancelled.cancel()
    assert cancelled.status() == "Closed"


def check_programs(service: qiskit_ibm_runtime.QiskitRuntimeService) -> str:
    backend = service.backend(IDEAL)
    try:
        service._run(program_id="noise-learner", inputs={}, options={"backend": backend})  # noqa: SLF001 -- as its classes
    except RuntimeProgramNotFound:
        pass
    else:
        raise AssertionError("a program that is not there ran")
    try:
        from qiskit_ibm_runtime import Executor
        from qiskit_ibm_runtime.quantum_program import QuantumProgram
    except ImportError:
        return "without quantum programs"
    circuit = generate_preset_pass_manager(1, backend=backend).run(bell())
    program = QuantumProgram(shots=40)
    program.append_circuit_item(circuit)
    bits = Executor(backend).run(program).result()[0]["meas"]
    assert bits.shape == (40, 2)
    assert (bits[:, 0] == bits[:, 1]).all()
    return "with quantum programs"


def main(url: str, token: str) -> None:
    """Check them all."""
    warnings.simplefilter("ignore")
    service = qpi_jupyter.runtime_service(url, token)
    for check in (check_backends, check_jobs, check_sweeps, check_sessions):
        check(service)
        print(check.__name__, flush=True)
    print(f"{qiskit_ibm_runtime.__version__} {check_programs(service)}")


if __name__ == "__main__":
    main(*sys.argv[1:])

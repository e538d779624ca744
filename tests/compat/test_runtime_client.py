"""IBM's own client, unmodified, against a real lab: what it lists, runs, reads back, cancels, and is refused."""

from __future__ import annotations

import base64
import json
import math
import os
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from qiskit import QuantumCircuit, generate_preset_pass_manager
from qiskit.circuit import Parameter
from qiskit.quantum_info import SparsePauliOp, Statevector
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime import (
    Batch,
    EstimatorV2,
    Executor,
    QiskitRuntimeService,
    QuantumProgram,
    SamplerV2,
    Session,
)
from qiskit_ibm_runtime.accounts.exceptions import InvalidAccountError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import (
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
    RuntimeJobNotFound,
)
from qiskit_ibm_runtime.executor_estimator import Estimator as ClientEstimator
from qiskit_ibm_runtime.executor_sampler import Sampler as ClientSampler
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

import qpi_jupyter
from qpi_jupyter.core import Rejected
from tests.support.runtime import CRN, runtime_lab, service_of, token_of
from tests.support.servers import ROOT, TOKEN, LabServer, python_env
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The (SamplerV2|EstimatorV2) class is deprecated:DeprecationWarning"),
]
NOISY, IDEAL = "fake_manila@aer", "fake_manila@ideal"
OWN = ("sim-a", "sim-b")
PAGE = ROOT / "docs" / "how-to" / "ibm-notebook.md"
TUTORIAL = ROOT / "docs" / "tutorial" / "ibm-notebook.md"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with runtime_lab(tmp_path_factory.mktemp("runtime"), "--QPIServer.local_accounts=True") as server:
        yield server


@pytest.fixture(scope="module")
def admin(server: LabServer) -> httpx.Client:
    return server.client()


@pytest.fixture(scope="module")
def token(admin: httpx.Client) -> str:
    return token_of(admin)


@pytest.fixture(scope="module")
def service(server: LabServer, token: str) -> Iterator[QiskitRuntimeService]:
    with pytest.MonkeyPatch.context() as environment:
        yield service_of(server, token, environment)


@pytest.fixture(scope="module")
def api(server: LabServer, token: str) -> httpx.Client:
    return server.client(token)


def bell() -> QuantumCircuit:
    circuit = QuantumCircuit(2, metadata={"made": "by hand"})
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


def ready(service: QiskitRuntimeService, name: str, circuit: QuantumCircuit) -> tuple[Any, Any]:
    backend = service.backend(name)
    return backend, generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(circuit)


def params(circuit: QuantumCircuit, *rest: Any, **options: Any) -> Any:
    """What the client would send, as JSON."""
    from qiskit_ibm_runtime import RuntimeEncoder

    return json.loads(json.dumps({"pubs": [[circuit, *rest]], "options": options, "version": 2}, cls=RuntimeEncoder))


def test_every_qpu_and_every_fake_backend_is_listed(service: QiskitRuntimeService, api: httpx.Client) -> None:
    devices = api.get("qpi/experimental/v1/backends").json()["devices"]
    names = [device["name"] for device in devices]
    assert set(OWN) <= set(names)
    assert {NOISY, IDEAL, "fake_sherbrooke@aer"} <= set(names)
    assert "fakes" not in names
    assert service.least_busy(min_num_qubits=24, filters=lambda backend: backend.name in OWN).name == "sim-a"
    assert service.instances()[0]["crn"] == CRN
    assert service.backend(NOISY).status().operational


@pytest.mark.parametrize("name", [*OWN, NOISY, IDEAL])
def test_a_sampler_runs_on_it(service: QiskitRuntimeService, admin: httpx.Client, name: str) -> None:
    backend, circuit = ready(service, name, bell())
    job = SamplerV2(mode=backend).run([circuit], shots=400)
    result = job.result()
    counts = result[0].data.meas.get_counts()
    assert sum(counts.values()) == 400
    assert counts["00"] + counts["11"] > (330 if name == NOISY else 399)
    assert result[0].metadata["circuit_metadata"] == {"made": "by hand"}
    assert result.metadata["execution"]["execution_spans"].stop
    # It is a job of the lab, with its owner, its QPU and its cost.
    own = admin.get(f"qpi/v1/jobs/{job.job_id()}").json()
    assert own["qpu"] == (name if name in OWN else "fakes")
    assert own["status"] == "completed"
    assert own["origin"]["runtime"]["backend"] == name == job.backend().name
    assert job.usage() == own["busy_s"] > 0
    assert job.metrics()["usage"]["status"] == "final"
    assert "OPENQASM 3" in admin.get(f"qpi/v1/jobs/{job.job_id()}/program/text").json()["circuits"][0]["text"]


@pytest.mark.parametrize("name", [*OWN, IDEAL, "fake_sherbrooke@ideal"])
def test_an_estimator_finds_the_exact_values(service: QiskitRuntimeService, name: str) -> None:
    theta, phi = Parameter("theta"), Parameter("phi")
    circuit = QuantumCircuit(2)
    circuit.rx(theta, 0)
    circuit.rz(phi, 0)
    circuit.cx(0, 1)
    observables = [SparsePauliOp("ZZ"), SparsePauliOp(["XX", "IZ"], [1.0, 0.5])]
    values = np.array([[0.3, 1.0], [1.0, 2.0], [2.0, 0.5]])
    backend, compiled = ready(service, name, circuit)
    laid = [[observable.apply_layout(compiled.layout)] for observable in observables]
    order = [[theta, phi].index(parameter) for parameter in compiled.parameters]
    result = EstimatorV2(mode=backend, options={"seed_estimator": 7}).run([(compiled, laid, values[:, order])]).result()
    exact = [
        [Statevector(circuit.assign_parameters(dict(zip((theta, phi), row, strict=True)))).expectation_value(one).real
         for row in values]
        for one in observables
    ]  # fmt: skip
    assert result[0].data.evs.shape == result[0].data.stds.shape == (2, 3)
    assert np.abs(result[0].data.evs - exact).max() < 5 * 1.5 * 0.015625
    assert result[0].metadata["shots"] == 4096
    assert result[0].metadata["target_precision"] == 0.015625


def test_counts_of_a_fake_backend_are_those_of_aer(service: QiskitRuntimeService) -> None:
    backend, circuit = ready(service, NOISY, bell())
    sampler = SamplerV2(mode=backend, options={"simulator": {"seed_simulator": 11}, "default_shots": 2000})
    counts = sampler.run([circuit]).result()[0].data.meas.get_counts()
    local = AerSimulator.from_backend(FakeManilaV2()).run(circuit, shots=2000, seed_simulator=11).result()
    assert counts == local.get_counts()


@pytest.mark.parametrize("name", ["sim-a", NOISY])
def test_a_quantum_program_runs_on_it(service: QiskitRuntimeService, admin: httpx.Client, name: str) -> None:
    theta = Parameter("theta")
    circuit = QuantumCircuit(2)
    circuit.rx(theta, 0)
    circuit.cx(0, 1)
    circuit.measure_all()
    backend, compiled = ready(service, name, circuit)
    program = QuantumProgram(shots=200, passthrough_data={"mine": [np.arange(3.0), "kept"]})
    program.append_circuit_item(compiled, circuit_arguments=np.array([[[0.0], [np.pi]]] * 3))
    job = Executor(backend).run(program)
    result = job.result()
    assert result[0]["meas"].shape == (3, 2, 200, 2)
    assert result[0]["meas"][:, 0].mean() < 0.1 < 0.8 < result[0]["meas"][:, 1].mean()
    assert result.passthrough_data["mine"][0].tolist() == [0, 1, 2]
    assert result.metadata.chunk_timing[0].parts[0].size == 6
    own = admin.get(f"qpi/v1/jobs/{job.job_id()}").json()
    assert (own["status"], own["format"], job.usage()) == ("completed", "runtime-executor", own["busy_s"])
    assert job.inputs["quantum_program"].items[0].circuit.num_clbits == 2


def test_the_clients_own_primitives_twirl_here(service: QiskitRuntimeService) -> None:
    backend, circuit = ready(service, NOISY, bell())
    options = {"twirling": {"enable_gates": True, "enable_measure": True}, "default_shots": 640}
    bits = ClientSampler(mode=backend, options=options).run([circuit]).result()[0].data.meas
    assert bits.num_shots >= 640
    assert sum(bits.get_counts().get(key, 0) for key in ("00", "11")) > 0.8 * bits.num_shots
    pair = QuantumCircuit(2)
    pair.h(0)
    pair.cx(0, 1)
    _, compiled = ready(service, NOISY, pair)
    asked = (compiled, SparsePauliOp(["ZZ", "XX"]).apply_layout(compiled.layout))
    job = ClientEstimator(mode=backend, options={"resilience_level": 1, "default_precision": 0.03}).run([asked])
    assert abs(float(job.result()[0].data.evs) - 2) < 0.4


def test_a_sweep_has_its_axes_in_the_labs_own_client(
    service: QiskitRuntimeService, server: LabServer, token: str
) -> None:
    theta, phi = Parameter("theta"), Parameter("phi")
    circuit = QuantumCircuit(1)
    circuit.ry(theta, 0)
    circuit.rz(phi, 0)
    circuit.measure_all()
    grid = dict(
        zip((theta, phi), np.meshgrid(np.linspace(0, np.pi, 3), np.linspace(0, 1, 4), indexing="ij"), strict=True)
    )
    backend, compiled = ready(service, "sim-a", circuit)
    job = SamplerV2(mode=backend).run([(compiled, grid, 50)])
    bits = job.result()[0].data.meas
    assert bits.shape == (3, 4)
    assert [bits[k, 0].get_counts() for k in (0, 2)] == [{"0": 50}, {"1": 50}]
    lab = qpi_jupyter.connect(server.url, token)
    try:
        dataset = lab.job(job.job_id()).dataset()
        assert dict(dataset.sizes) == {"theta": 3, "phi": 4, "shot": 50, "meas_byte": 1}
        assert dataset.theta.values.tolist() == pytest.approx([0, np.pi / 2, np.pi])
        assert (dataset.qpi.arrays()["meas"].array == bits.array).all()
    finally:
        lab.close()


def test_a_job_is_named_after_its_primitive_and_its_fake_backend(
    service: QiskitRuntimeService, api: httpx.Client
) -> None:
    for name, said in (("sim-a", "sampler"), (IDEAL, f"sampler on {IDEAL}")):
        backend, circuit = ready(service, name, bell())
        job = SamplerV2(mode=backend).run([circuit], shots=10)
        assert api.get(f"qpi/v1/jobs/{job.job_id()}").json()["name"] == said
        job.wait_for_final_state()


def test_what_is_known_of_jobs_is_read_back(service: QiskitRuntimeService) -> None:
    backend, circuit = ready(service, IDEAL, bell())
    jobs = [SamplerV2(mode=backend, options={"environment": {"job_tags": ["many"]}}).run([circuit]) for _ in range(3)]
    for job in jobs:
        job.wait_for_final_state()
    ids = [job.job_id() for job in reversed(jobs)]
    assert [job.job_id() for job in service.jobs(limit=None, job_tags=["many"])] == ids
    assert [job.job_id() for job in service.jobs(limit=1, skip=1, job_tags=["many"])] == ids[1:2]
    assert [job.job_id() for job in service.jobs(job_tags=["many"], descending=False)] == ids[::-1]
    assert service.jobs(job_tags=["many"], pending=True) == []
    assert service.jobs(job_tags=["many"], backend_name=NOISY) == []
    assert service.jobs(job_tags=["many"], program_id="estimator") == []
    again = service.job(ids[0])
    assert again.inputs["pubs"][0][0].num_clbits == 2
    assert again.tags == ["many"]
    assert again.primitive_id == "sampler"
    assert again.creation_date == jobs[-1].creation_date
    again.update_tags(["one"])
    assert service.job(ids[0]).tags == ["one"]
    service.delete_job(ids[0])
    with pytest.raises(RuntimeJobNotFound):
        service.job(ids[0])
    assert service.usage()["usage_consumed_seconds"] > 0


@pytest.mark.parametrize("mode", [Session, Batch])
def test_sessions_and_batches_hold_the_qpu(mode: Any, service: QiskitRuntimeService, admin: httpx.Client) -> None:
    backend, circuit = ready(service, "sim-b", bell())
    with mode(backend=backend, max_time=120) as session:
        assert session.status() == "In progress, accepting new jobs"
        [held] = [one for one in admin.get("qpi/v1/sessions").json()["sessions"] if one["closed_at"] is None]
        assert (held["qpu"], held["budget_s"]) == ("sim-b", 120)
        assert session.details()["max_time"] == 120
        job = SamplerV2(mode=session).run([circuit])
        assert job.result()[0].data.meas.num_shots == 4096
        assert job.session_id == session.session_id
        assert [one.job_id() for one in service.jobs(session_id=session.session_id)] == [job.job_id()]
        assert mode.from_id(session.session_id, service).session_id == session.session_id
        with pytest.raises(RequestsApiError, match="already hold a session"):
            mode(backend=backend)
    assert session.status() == "Closed"
    assert session.details()["last_job_completed"] is not None
    assert session.usage() == pytest.approx(next(
        one["held_s"] for one in admin.get("qpi/v1/sessions").json()["sessions"] if one["id"] == held["id"]
    ))  # fmt: skip


def test_a_session_on_a_fake_backend_holds_it_for_nobody(
    service: QiskitRuntimeService, admin: httpx.Client, api: httpx.Client
) -> None:
    backend, circuit = ready(service, NOISY, bell())
    with Session(backend=backend, max_time=120) as session, Batch(backend=backend) as batch:
        assert not [one for one in admin.get("qpi/v1/sessions").json()["sessions"] if one["closed_at"] is None]
        job = SamplerV2(mode=session).run([circuit])
        other = SamplerV2(mode=batch).run([circuit])
        assert job.result()[0].data.meas.num_shots == other.result()[0].data.meas.num_shots == 4096
        assert session.status() == "In progress, accepting new jobs"
        assert session.details()["max_time"] == 120
        assert session.usage() == pytest.approx(job.usage())
        assert [one.job_id() for one in service.jobs(session_id=batch.session_id)] == [other.job_id()]
    assert session.status() == "Closed"
    asked = {"program_id": "sampler", "backend": NOISY, "params": params(circuit), "session_id": session.session_id}
    refused = api.post("qpi/experimental/v1/jobs", json=asked)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "session_over")


@pytest.mark.parametrize(
    "session_id",
    [
        f"free-{number}-600-0123456789abcdef-0123456789abcdef.batch.{NOISY}"
        for number in ("1", "99999999999", "9" * 40)
    ] + ["free-", "free-1-1-x", "ses-1", "." * 2000],
)  # fmt: skip
def test_a_session_that_nobody_opened_is_not_there(session_id: str, api: httpx.Client) -> None:
    asked = {"program_id": "sampler", "backend": NOISY, "params": params(bell()), "session_id": session_id}
    answer = api.post("qpi/experimental/v1/jobs", json=asked)
    assert (answer.status_code, answer.json()["error"]["code"]) in [(400, "unknown_session"), (400, "bad_request")]


def test_a_closed_session_takes_no_job(service: QiskitRuntimeService, api: httpx.Client) -> None:
    session = api.post("qpi/experimental/v1/sessions", json={"backend": "sim-b", "mode": "dedicated"}).json()["id"]
    job = {"program_id": "sampler", "backend": "sim-b", "params": params(bell()), "session_id": session}
    wrong = api.post("qpi/experimental/v1/jobs", json={**job, "backend": "sim-a"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "other_backend")
    assert api.request("DELETE", f"qpi/experimental/v1/sessions/{session}/close").status_code == 204
    closed = api.post("qpi/experimental/v1/jobs", json=job)
    assert (closed.status_code, closed.json()["error"]["code"]) == (400, "session_over")
    unknown = api.post("qpi/experimental/v1/jobs", json={**job, "session_id": "ses-1.batch.sim-b"})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (400, "unknown_session")


def test_a_job_that_waits_can_be_cancelled(service: QiskitRuntimeService, admin: httpx.Client) -> None:
    backend, circuit = ready(service, "sim-b", bell())
    assert admin.patch("qpi/v1/qpus/sim-b", json={"hold": "until the test lets go"}).is_success
    try:
        job = SamplerV2(mode=backend).run([circuit])
        assert job.status() == "QUEUED"
        with pytest.raises(IBMRuntimeError, match="cancel it first"):
            service.delete_job(job.job_id())
        job.cancel()
        assert job.status() == "CANCELLED"
        with pytest.raises(RuntimeInvalidStateError):
            job.cancel()
    finally:
        assert admin.patch("qpi/v1/qpus/sim-b", json={"hold": None}).is_success


def test_options_are_applied_refused_or_named(service: QiskitRuntimeService) -> None:
    backend, circuit = ready(service, NOISY, bell())
    both = {"enable_gates": True, "enable_measure": True, "num_randomizations": 5, "shots_per_randomization": 6}
    options: dict[str, Any] = {"dynamical_decoupling": {"enable": True}, "twirling": both, "default_shots": 10}
    job = SamplerV2(mode=backend, options=options).run([circuit])
    assert "not_applied" not in job.result().metadata
    assert job.result()[0].data.meas.num_shots == 30
    value = EstimatorV2(mode=backend, options={"twirling": both, "resilience_level": 1}).run([
        (circuit.remove_final_measurements(inplace=False), SparsePauliOp("ZZ").apply_layout(circuit.layout))
    ]).result()  # fmt: skip
    assert value[0].data.evs > 0.5
    assert value.metadata["not_applied"] == ["resilience_level"]
    job = SamplerV2(mode=service.backend("lab_statevector"), options=options).run([circuit], shots=10)
    reason = "dynamical_decoupling.enable (lab_statevector has no gate durations)"
    assert job.result().metadata["not_applied"] == [reason]
    assert job.result()[0].data.meas.num_shots == 10
    assert f"options.{reason} was not applied" in job.logs()
    kerneled = {"execution": {"meas_type": "kerneled"}}
    with pytest.raises(IBMRuntimeError, match="simulates bits, not IQ points"):
        SamplerV2(mode=backend, options=kerneled).run([circuit])
    _, own = ready(service, "sim-b", bell())
    points = SamplerV2(mode=service.backend("sim-b"), options=kerneled).run([own], shots=20).result()[0].data.meas
    assert points.shape == (20, 2)
    assert points.dtype == complex


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_circuits_are_transpiled_for_every_fake_backend(
    server: LabServer, token: str, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = service_of(server, token, monkeypatch)  # the client gives None what it has kept of a call with False
    devices = api.get("qpi/experimental/v1/backends").json()["devices"]
    names = [one["name"] for one in devices if one["name"].endswith("@ideal") and one["qubits"] > 1]
    assert len(names) > 60
    for index, name in enumerate(names):
        # With False, the client leaves u2 and u3 out, without which ten of the oldest have no universal gates.
        backend = service.backend(name, use_fractional_gates=None)
        level = index % 4
        # At level 0 a circuit stays on the first qubits, which not every device has connected.
        layout = list(backend.coupling_map.get_edges()[0]) if level == 0 else None
        passes = generate_preset_pass_manager(level, backend=backend, seed_transpiler=1, initial_layout=layout)
        assert passes.run(bell()).num_qubits == backend.num_qubits, (name, level)


@pytest.mark.slow
def test_a_job_that_takes_longer_than_it_may_is_told_so(service: QiskitRuntimeService) -> None:
    circuit = QuantumCircuit(20)
    for layer in range(6):
        for qubit in range(20):
            circuit.rx(0.1 * (qubit + layer + 1), qubit)
        for qubit in range(19):
            circuit.cx(qubit, qubit + 1)
    circuit.measure_all()
    backend = service.backend("sim-a", use_fractional_gates=True)
    job = SamplerV2(mode=backend, options={"max_execution_time": 1}).run([circuit] * 8, shots=10)
    with pytest.raises(RuntimeJobMaxTimeoutError, match="max_execution_time"):
        job.result()


def turned() -> QuantumCircuit:
    circuit = QuantumCircuit(1)
    circuit.rx(Parameter("theta"), 0)
    circuit.measure_all()
    return circuit


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "program": ({"program_id": "noise-learner"}, 404, "unknown_program"),
    "backend": ({"backend": "ibm_fez"}, 400, "unknown_backend"),
    "params": ({"params": []}, 400, "bad_pub"),
    "no pubs": ({"params": {"pubs": []}}, 400, "bad_pub"),
    "no circuit": ({"params": {"pubs": [[7]]}}, 400, "bad_pub"),
    "no measurement in a text": ({"params": {"pubs": [["OPENQASM 3.0;"]]}}, 400, "no_measurement"),
    "shots": ({"params": params(bell(), None, 10**8)}, 400, "bad_shots"),
    "no measurement": ({"params": params(QuantumCircuit(1))}, 400, "no_measurement"),
    "unbound": ({"params": params(bell(), np.ones(3))}, 400, "bad_pub"),
    "precision": (
        {"program_id": "estimator", "params": params(QuantumCircuit(1), {"Z": 1.0}, None, 1e-9)}, 400, "bad_shots"
    ),
    "coarse": ({"program_id": "estimator", "params": params(QuantumCircuit(1), {"Z": 1.0}, None, 1e300)}, 400,
               "bad_precision"),
    "zero shots": ({"params": params(bell(), None, 0)}, 400, "bad_pub"),
    "observable": (
        {"program_id": "estimator", "params": params(QuantumCircuit(1), {"ZZ": 1.0}, None, None)}, 400, "bad_pub"
    ),
    "gates": ({"backend": NOISY, "params": params(bell())}, 400, "not_isa"),
    "seed": ({"params": params(bell(), simulator={"seed_simulator": -1})}, 400, "bad_option"),
    "NaN": ({"params": params(turned(), np.array([[np.nan]]))}, 400, "bad_parameters"),
    "NaN precision": (
        {"program_id": "estimator", "params": params(QuantumCircuit(1), {"Z": 1.0}, None, math.nan)}, 400, "bad_json"
    ),
    "executor": ({"program_id": "executor", "params": {"schema_version": "v2.0"}}, 400, "bad_program"),
    "cost": ({"cost": 0}, 400, "bad_request"),
    "tags": ({"tags": ["x" * 10_000]}, 400, "bad_request"),
    "rows": ({"params": params(QuantumCircuit(1, 1), np.ones((20_000, 0)))}, 400, "too_many_circuits"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_told_what_is_wrong_with_it(what: str, api: httpx.Client) -> None:
    changed, status, code = BAD[what]
    asked = {"program_id": "sampler", "backend": "sim-a", "params": params(bell()), **changed}
    answer = api.post("qpi/experimental/v1/jobs", content=json.dumps(asked), headers={"IBM-API-Version": "1999-01-01"})
    assert "errors" in answer.json(), (answer.status_code, answer.text)
    assert (answer.status_code, answer.json()["error"]["code"]) == (
        status if code != "too_many_circuits" else 413,
        code,
    )
    assert answer.json()["errors"][0]["message"] == answer.json()["error"]["message"]


def test_many_rows_and_many_pubs_are_one_job(api: httpx.Client, service: QiskitRuntimeService) -> None:
    many = params(bell(), None, 5)
    rows = params(turned(), np.linspace(0, 1, 5000).reshape(5000, 1), 2)
    for sent, pubs, sets in ((many | {"pubs": many["pubs"] * 300}, 300, 300), (rows, 1, 5000)):
        asked = {"program_id": "sampler", "backend": "sim-a", "params": sent}
        answer = api.post("qpi/experimental/v1/jobs", json=asked)
        assert answer.status_code == 200, answer.text
        result = service.job(answer.json()["id"]).result()
        assert (len(result), sum(pub.data.meas.size for pub in result)) == (pubs, sets)


@pytest.mark.parametrize("damage", ["not base64", "AAAA", "eJwDAAAAAAE="])
def test_a_damaged_circuit_is_refused_by_the_driver(damage: str, api: httpx.Client) -> None:
    pub = [{"__type__": "QuantumCircuit", "__value__": damage}, None, None]
    asked = {"program_id": "sampler", "backend": "sim-a", "params": {"pubs": [pub]}}
    answer = api.post("qpi/experimental/v1/jobs", json=asked)
    assert answer.status_code == 400, answer.text


def test_a_large_pub_that_nobody_can_read_is_refused_at_once_or_fails(
    service: QiskitRuntimeService, api: httpx.Client
) -> None:
    """Where the check takes longer than the lab waits for it, the job is taken, and fails."""
    unreadable = "A QuantumCircuit of the pubs cannot be read"
    pub = [{"__type__": "QuantumCircuit", "__value__": "A" * 10_000_000}, None, None]
    answer = api.post(
        "qpi/experimental/v1/jobs", json={"program_id": "sampler", "backend": "sim-a", "params": {"pubs": [pub]}}
    ).json()
    if "id" in answer:
        job = service.job(answer["id"])
        with pytest.raises(RuntimeJobFailureError, match=unreadable):
            job.result()
        assert job.status() == "ERROR"
    else:
        assert unreadable in answer["errors"][0]["message"]


def test_only_the_labs_own_keys_sign_in(server: LabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "ibm-cloud-key-0123456789"
    with pytest.raises(Rejected, match="no API token of a lab"):
        qpi_jupyter.runtime_service("http://nowhere.invalid/", secret)
    with pytest.raises(InvalidAccountError):
        service_of(server, secret, monkeypatch)
    sent = server.client(None).post("qpi/iam/identity/token", data={"apikey": secret})
    assert (sent.status_code, sent.json()["errorCode"]) == (400, "not_a_lab_token")
    assert "delete it at IBM" in sent.json()["errorMessage"]
    assert secret not in sent.text + server.log.read_text()
    unknown = server.client(None).post("qpi/iam/identity/token", data={"apikey": "qpi_nobodys"})
    assert unknown.status_code == 400
    assert not [path for path in server.lab_dir.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert server.client(None).get("qpi/experimental/v1/backends").status_code in (401, 403)


@pytest.mark.parametrize(
    "claims",
    [b"[1]", b'{"key": 1}', b"[" * 20_000, b'{"key": "qpi_x\\r\\nX-Other: 1"}', b'{"key": "qpi_\\u00e9"}', b"\xff"],
)
def test_an_access_token_that_is_none_is_refused(claims: bytes, server: LabServer) -> None:
    token = f"e30.{base64.urlsafe_b64encode(claims).rstrip(b'=').decode()}.-"
    answer = server.client(token).get("qpi/experimental/v1/backends")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_token")
    assert "not valid" in answer.json()["error"]["message"]


def test_a_dry_run_checks_and_invents(service: QiskitRuntimeService, admin: httpx.Client, api: httpx.Client) -> None:
    backend, circuit = ready(service, NOISY, bell())
    program = QuantumProgram(shots=50)
    program.append_circuit_item(circuit)
    job = Executor(backend).run(program, dry_run=True)
    assert job.result()[0]["meas"].shape == (50, 2)
    assert admin.get(f"qpi/v1/jobs/{job.job_id()}").json()["name"] == "executor on mock_manila@aer"
    listed = api.get("qpi/experimental/v1/backends", params={"include_mocks": "True"}).json()["devices"]
    assert {one["name"] for one in listed if one.get("class") == "mock"} >= {"mock_manila@aer", "mock_fez@ideal"}
    assert not [one["name"] for one in listed if one["name"] == "mock"], "sim-a and sim-b would both be called so"
    far = QuantumProgram(shots=50)
    far.append_circuit_item(bell())
    with pytest.raises(IBMRuntimeError, match="not supported by the target system mock_manila@aer"):
        Executor(backend).run(far, dry_run=True)


def test_a_state_vector_takes_circuits_as_they_are(service: QiskitRuntimeService) -> None:
    backend = service.backend("lab_statevector")
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.ccx(0, 1, 2)
    circuit.rzz(0.3, 0, 2)
    estimator = EstimatorV2(mode=backend, options={"default_precision": 0.01})
    assert abs(float(estimator.run([(circuit, SparsePauliOp("XII"))]).result()[0].data.evs)) < 0.06
    circuit.measure_all()
    with Session(backend=backend) as session:
        counts = SamplerV2(mode=session).run([circuit], shots=500).result()[0].data.meas.get_counts()
    assert set(counts) == {"000", "001"}
    wide = QuantumCircuit(27)
    wide.measure_all()
    with pytest.raises(IBMRuntimeError, match="has 26 qubits"):
        SamplerV2(mode=backend).run([wide])


def test_the_first_servers_addresses_answer_with_its_meanings(
    service: QiskitRuntimeService, api: httpx.Client, admin: httpx.Client
) -> None:
    _, circuit = ready(service, "sim-b", bell())
    old = "qpi/runtime/v1"
    assert {"sim-b", NOISY} <= {one["name"] for one in api.get(f"{old}/backends").json()["devices"]}
    assert api.get(f"{old}/backends/{NOISY}/configuration").json()["n_qubits"] == 5
    assert (api.get(f"{old}/backends/{NOISY}/defaults").json(), api.get(f"{old}/backends/x/defaults").status_code) == (
        {}, 404,
    )  # fmt: skip
    session = api.post(f"{old}/sessions", json={"backend": "sim-b"}).json()["id"]
    assert admin.patch("qpi/v1/qpus/sim-b", json={"hold": "until the test lets go"}).is_success
    try:
        asked = {"program_id": "sampler", "backend": "sim-b", "params": params(circuit), "session_id": session}
        first, second = (api.post(f"{old}/jobs", json=asked).json()["id"] for _ in range(2))
        assert api.delete(f"{old}/jobs/{first}").status_code == 204
        assert api.get(f"{old}/jobs/{first}").json()["status"] == "Cancelled"
        assert api.delete(f"{old}/sessions/{session}/close").status_code == 204
        assert api.get(f"{old}/jobs/{second}").json()["status"] == "Queued"
        assert api.delete(f"{old}/sessions/{session}/cancel").status_code == 204
        assert api.get(f"{old}/jobs/{second}").json()["status"] == "Cancelled"
    finally:
        assert admin.patch("qpi/v1/qpus/sim-b", json={"hold": None}).is_success


def test_a_service_in_a_with_leaves_no_token(server: LabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    signed_in = server.client()
    monkeypatch.setenv("QPI_LAB_URL", server.url)
    monkeypatch.setenv("QPI_LAB_TOKEN", TOKEN)

    def names() -> list[str]:
        tokens = signed_in.get("qpi/v1/tokens").json()["tokens"]
        return [one["name"] for one in tokens if one["name"] == "qiskit-ibm-runtime"]

    before = names()
    with qpi_jupyter.runtime_service() as service:
        assert isinstance(service, QiskitRuntimeService)
        assert service.backend("sim-a").name == "sim-a"
        assert len(names()) == len(before) + 1
    assert names() == before
    qpi_jupyter.connect(server.url, TOKEN).close()


def test_a_private_job_is_read_once(service: QiskitRuntimeService, admin: httpx.Client) -> None:
    backend, circuit = ready(service, "sim-a", bell())
    options = {"environment": {"private": True, "log_level": "DEBUG"}}
    job = SamplerV2(mode=backend, options=options).run([circuit], shots=10)
    job.wait_for_final_state()
    assert job.private
    assert job.inputs == {}
    assert "options.environment.log_level was not applied" in job.logs()
    assert job.result()[0].data.meas.num_shots == 10
    wait_until(lambda: admin.get(f"qpi/v1/jobs/{job.job_id()}").status_code == 404, what="the end of a private job")
    with pytest.raises(RuntimeJobNotFound):
        service.job(job.job_id())


def test_an_option_may_be_an_array(service: QiskitRuntimeService, api: httpx.Client) -> None:
    asked = {"program_id": "sampler", "backend": "sim-a", "params": params(bell(), odd=np.ones(3))}
    job = service.job(api.post("qpi/experimental/v1/jobs", json=asked).json()["id"])
    assert job.result().metadata["not_applied"] == ["odd"]


def test_other_peoples_jobs_are_not_there(
    server: LabServer, admin: httpx.Client, service: QiskitRuntimeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = {"name": "ann", "email": "ann@lab.example", "password": PASSWORD}
    assert admin.post("qpi/v1/users", json=ann).status_code == 201
    signed_in = admin.post("qpi/v1/sign-in", json={"name": "ann", "password": PASSWORD}).json()
    hers = service_of(server, token_of(server.client(signed_in["token"])), monkeypatch)
    job = SamplerV2(mode=hers.backend("sim-a")).run([bell()])
    assert job.result()[0].data.meas.num_shots == 4096
    with pytest.raises(RuntimeJobNotFound):  # not even for the admin
        service.job(job.job_id())
    assert [one.job_id() for one in hers.jobs(limit=None)] == [job.job_id()]


def test_in_a_kernel_one_call_is_enough(server: LabServer, token: str) -> None:
    before = dict(os.environ)
    service = qpi_jupyter.runtime_service(server.url, token)
    assert dict(os.environ) == before
    assert SamplerV2(mode=service.backend("sim-a")).run([bell()]).result()[0].data.meas.num_shots == 4096
    qpi_jupyter.connect(server.url, token).close()


def test_the_page_runs_as_it_is_written(server: LabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPI_LAB_URL", server.url)
    monkeypatch.setenv("QPI_LAB_TOKEN", TOKEN)
    names: dict[str, Any] = {}
    try:
        for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL):
            exec(block, names)
        assert sum(names["counts"].values()) == names["dataset"].sizes["shot"] == 1000
    finally:
        names["lab"].close()


def test_the_tutorial_runs_as_it_is_written(server: LabServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QPI_LAB_URL", server.url)
    monkeypatch.setenv("QPI_LAB_TOKEN", TOKEN)
    names: dict[str, Any] = {}
    try:
        for block in re.findall(r"```python\n(.*?)```", TUTORIAL.read_text(), re.DOTALL):
            exec(block, names)
        assert names["shares"]["ideal"] == 1.0
        assert 0.8 < names["shares"]["aer"] < 0.97, "about a tenth less"
        assert set(names["seconds"]) == {"sampler on fake_manila@aer", "sampler on fake_manila@ideal"}
        assert min(names["seconds"].values()) > 0
        assert names["dataset"].sizes["shot"] == 2000
        assert names["device"].operational
    finally:
        names["lab"].close()


@pytest.mark.slow
def test_the_pages_variables_are_enough(server: LabServer, token: str) -> None:
    lines = PAGE.read_text().partition("```bash\n")[2].partition("```")[0].splitlines()[1:]
    script = "\n".join(lines).replace("qpi_...", token).replace(".backends()", ".backend('sim-a').name")
    env = python_env(LAB=server.url.rstrip("/"), HOME=str(server.lab_dir))
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, env=env, timeout=240)
    assert done.stdout.strip() == "sim-a", done.stderr

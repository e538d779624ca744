"""Every public method of the published qpi-client against a real lab; runs in the client's own environment.

``python script.py URL ADMIN_TOKEN USER_TOKEN USER PASSWORD``. What the client itself cannot do is checked as such.
"""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import requests
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.primitives import BackendEstimatorV2, BackendSamplerV2
from qiskit.providers import JobStatus
from qiskit.quantum_info import SparsePauliOp
from qpi_client.client import QPIClient

PATIENCE_S = 240.0
FLIP = 'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[3];\ncreg c[3];\nx q[1];\nmeasure q -> c;\n'
TURN = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\ninput float[64] theta;\nbit[1] c;\nqubit[1] q;\n'
    "rx(theta) q[0];\nc[0] = measure q[0];\n"
)
PI = 3.141592653589793


class Recorder:
    """A client that notes which of its methods were called."""

    called: ClassVar[set[str]] = set()

    def __init__(self, client: QPIClient) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self.client, name)


class Lab:
    """The two people, and what the checks share."""

    def __init__(self, url: str, admin_token: str, user_token: str, user: str, password: str) -> None:
        self.url, self.admin_token, self.user_token = url, admin_token, user_token
        self.name, self.password = user, password
        self.admin = Recorder(QPIClient(url + "/", api_token=admin_token))
        self.user = Recorder(QPIClient(url, api_token=user_token))

    def finished(self, job_id: str) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while (job := self.user.get_job(job_id))["status"] in ("pending", "running"):
            assert time.monotonic() < deadline, f"not over within {PATIENCE_S:g} s: {job}"
            time.sleep(0.1)
        return dict(job)

    def balance(self) -> float:
        [found] = [user for user in self.admin.list_users() if user["id"] == self.name]
        return float(found["qpu_seconds"])


@contextmanager
def refused(*statuses: int) -> Iterator[None]:
    """The block ends with one of these statuses, in PocketBase's words."""
    answer = None
    try:
        yield
    except requests.HTTPError as error:
        answer = error.response
    assert answer is not None, f"not refused with {statuses}"
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["message"]
    assert isinstance(body["data"], dict)


@contextmanager
def raises(kind: type[Exception], text: str) -> Iterator[None]:
    """The block ends with this error."""
    raised = None
    try:
        yield
    except kind as error:
        raised = error
    assert raised is not None, f"no {kind.__name__}"
    assert text in str(raised), raised


def at(hours: float) -> str:
    """A time from now, as the client's own examples write it."""
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat(timespec="seconds").replace("+00:00", "Z")


# --- jobs ----------------------------------------------------------------------------------------------------------


def check_a_submitted_job_brings_its_results(lab: Lab) -> None:
    job_id = lab.user.submit_job([{"circuit": FLIP}], shots=100, qpu_target="sim-b")
    job = lab.finished(job_id)
    assert job["status"] == "completed", job
    assert (job["qpu_target"], job["user_id"]) == ("sim-b", lab.name)
    assert job["payload"]["circuits"] == [{"circuit": FLIP}]
    assert job["finished_at"] >= job["created"]
    results = job["results"]
    assert results["counts"] == {"010": 100}
    assert results["circuit_results"][0]["memory"] == ["0x2"] * 100
    assert lab.user.list_jobs()[0]["id"] == job_id
    with refused(404):
        lab.user.get_job("job-nobody-has")


def check_parameter_rows_are_flattened(lab: Lab) -> None:
    circuits = [
        {"circuit": TURN, "parameter_values": [[0.0], [PI]]},
        {"circuit": FLIP.replace("2.0", "2.0"), "shots": 7},
    ]
    with refused(400):  # two languages in one job
        lab.user.submit_job(circuits, shots=20)
    results = lab.finished(lab.user.submit_job(circuits[:1] * 2, shots=20))["results"]
    assert [entry["counts"] for entry in results["circuit_results"]] == [{"0": 20}, {"1": 20}] * 2


def check_values_for_nothing_are_ignored(lab: Lab) -> None:
    job_id = lab.user.submit_job([{"circuit": FLIP, "parameter_values": [[0.5, 1.0]]}], shots=5)
    assert lab.finished(job_id)["results"]["counts"] == {"010": 5}


def check_a_bad_program_is_refused(lab: Lab) -> None:
    for circuits in ([], [{"circuit": "x q[0];"}], [{"circuit": FLIP + "nonsense"}]):
        with refused(400):
            lab.user.submit_job(circuits)
    with refused(400):
        lab.user.submit_job([{"circuit": FLIP}], shots=-5)
    with refused(404):
        lab.user.submit_job([{"circuit": FLIP}], qpu_target="no-such-qpu")


def check_a_pending_job_can_be_cancelled(lab: Lab) -> None:
    backend = lab.user.get_backend("sim-b")
    job_ids = []
    assert lab.admin.toggle_qpu("sim-b", False)["enabled"] is False
    try:
        for _ in range(2):
            job_ids.append(lab.user.submit_job([{"circuit": FLIP}], qpu_target="sim-b"))
        assert lab.user.job(job_ids[0]).status() is JobStatus.QUEUED
        assert lab.user.cancel_job(job_ids[0])["status"] == "cancelled"
        backend.job(job_ids[1]).cancel()
    finally:
        assert lab.admin.toggle_qpu("sim-b", True) == {
            "id": "sim-b",
            "name": "sim-b",
            "enabled": True,
            "status": "online",
        }
    for job_id in job_ids:
        assert backend.job(job_id).status() is JobStatus.CANCELLED
        with raises(RuntimeError, "cancelled"):
            backend.job(job_id).result()
        with refused(404):
            lab.user.cancel_job(job_id)


def check_jobs_are_their_owners(lab: Lab) -> None:
    job_id = lab.admin.submit_job([{"circuit": FLIP}], shots=1)
    with refused(404):
        lab.user.get_job(job_id)
    with refused(404):
        lab.user.cancel_job(job_id)
    assert job_id not in [job["id"] for job in lab.user.list_jobs()]


# --- Qiskit --------------------------------------------------------------------------------------------------------


def check_keys_are_padded_and_spaced(lab: Lab) -> None:
    circuit = QuantumCircuit(QuantumRegister(3), ClassicalRegister(1, "a"), ClassicalRegister(2, "b"))
    circuit.x(1)
    circuit.measure([0, 1, 2], [0, 1, 2])
    job = lab.user.get_backend().run(circuit, shots=50)
    result = job.result(timeout=PATIENCE_S, wait=0.1)
    assert result.get_counts() == result.get_counts(0) == {"01 0": 50}
    assert result.get_memory(0) == ["01 0"] * 50
    assert job.status() is JobStatus.DONE
    with raises(Exception, "backend"):  # the client's own defect: this handle has no backend
        lab.user.job(job.job_id()).result(timeout=PATIENCE_S)


def check_a_batch_and_a_bound_circuit(lab: Lab) -> None:
    angle = Parameter("angle")
    turn, still = QuantumCircuit(1, 1), QuantumCircuit(2, 2)
    turn.rx(angle, 0)
    turn.measure(0, 0)
    still.measure([0, 1], [0, 1])
    backend = lab.user.get_backend("sim-a")
    assert backend.num_qubits == 24
    result = backend.run([turn, still], shots=30, parameter_values=[{angle: PI}]).result(wait=0.1)
    assert [result.get_counts(index) for index in range(2)] == [{"1": 30}, {"00": 30}]
    assert backend.run(qasm=TURN, shots=10, parameter_values=[PI]).result(wait=0.1).get_counts() == {"1": 10}


def check_points_of_level_1(lab: Lab) -> None:
    backend = lab.user.get_backend()
    for meas_return, outer in (("single", 25), ("avg", 1)):
        result = backend.run(qasm=FLIP, shots=25, meas_level=1, meas_return=meas_return).result(wait=0.1)
        memory = result.data(0)["memory"]
        assert (len(memory), len(memory[0]), len(memory[0][0])) == (outer, 3, 2), memory


def check_a_sampler_reads_the_right_bits(lab: Lab) -> None:
    circuit = QuantumCircuit(4)
    circuit.x([0, 3])
    circuit.measure_all()
    [found] = BackendSamplerV2(backend=lab.user.get_backend()).run([circuit], shots=64).result()
    assert found.data.meas.get_counts() == {"1001": 64}
    assert found.data.meas.num_shots == 64


def check_an_estimator_reads_the_right_values(lab: Lab) -> None:
    bell = QuantumCircuit(2)
    bell.h(0)
    bell.cx(0, 1)
    observables = [SparsePauliOp("ZZ"), SparsePauliOp("ZI")]
    [found] = BackendEstimatorV2(backend=lab.user.get_backend()).run([(bell, observables)], precision=0.05).result()
    same, alone = found.data.evs
    assert abs(same - 1.0) < 1e-9
    assert abs(alone) < 0.3


# --- QPUs ----------------------------------------------------------------------------------------------------------


def check_qpus_are_found_by_name(lab: Lab) -> None:
    assert {"sim-a", "sim-b"} <= {qpu["name"] for qpu in lab.user.list_qpus()}
    qpu = lab.user.get_qpu("sim-b")
    assert (qpu["id"], qpu["num_qubits"], qpu["status"], qpu["enabled"]) == ("sim-b", 5, "online", True)
    assert lab.user.get_qpu("qpi")["num_qubits"] == 24
    with refused(404):
        lab.user.get_qpu("nobodys")


def check_only_admins_make_and_switch_qpus(lab: Lab) -> None:
    made = lab.admin.create_qpu("extra", executor_type="mock", num_qubits=3, enabled=False)
    assert made == {"id": "extra", "name": "extra", "status": "offline", "enabled": False}
    assert "extra" not in {qpu["name"] for qpu in lab.user.list_qpus()}  # which lists the ones online
    with refused(409):
        lab.admin.create_qpu("extra")
    with refused(403):
        lab.user.create_qpu("mine")
    with refused(403):
        lab.user.toggle_qpu("sim-a", False)
    with refused(410):
        lab.admin.connect_qpu("extra", "some-token")


# --- bookings ------------------------------------------------------------------------------------------------------


def check_slots_are_booked_moved_and_deleted(lab: Lab) -> None:
    slot = lab.user.create_time_slot(at(24), at(25))
    assert slot["booked_by"] == lab.name
    assert [found["id"] for found in lab.admin.list_time_slots()] == [slot["id"]]
    moved = lab.user.update_time_slot(slot["id"], start_time=at(24.5))
    assert moved["id"] == slot["id"]
    assert slot["start_time"] < moved["start_time"] < moved["end_time"] == slot["end_time"]
    with refused(400, 409):
        lab.admin.create_time_slot(at(24.75), at(26))  # overlaps
    lab.user.delete_time_slot(slot["id"])
    assert lab.user.list_time_slots() == []


def check_slots_that_cannot_be(lab: Lab) -> None:
    for start, end in ((-2, -1), (30, 29), (30, 30)):
        with refused(400, 403, 409):
            lab.user.create_time_slot(at(start), at(end))
    with refused(400):
        lab.user.create_time_slot("tomorrow", at(30))
    with refused(403):
        lab.user.create_time_slot(at(40), at(41), booked_by="somebody-else")
    others = lab.admin.create_time_slot(at(50), at(51), booked_by=None)
    with refused(403, 404):
        lab.user.update_time_slot(others["id"], end_time=at(52))
    with refused(403, 404):
        lab.user.delete_time_slot(others["id"])
    lab.admin.delete_time_slot(others["id"])


# --- QPU time ------------------------------------------------------------------------------------------------------


def check_time_is_allocated_used_and_used_up(lab: Lab) -> None:
    assert lab.balance() == 999_999_999
    assert lab.admin.allocate_qpu_time(lab.name, 500)["qpu_seconds"] == 500
    lab.finished(lab.user.submit_job([{"circuit": FLIP}], shots=1000))
    assert lab.balance() == 499  # whole seconds, rounded down: the Go client reads them into an int
    with refused(403):
        lab.user.allocate_qpu_time(lab.name, 1_000_000)
    assert lab.admin.allocate_qpu_time(lab.name, 0)["qpu_seconds"] == 0
    with refused(403):
        lab.user.submit_job([{"circuit": FLIP}])


def check_time_requests_are_answered_once(lab: Lab) -> None:
    lab.admin.allocate_qpu_time(lab.name, 100)
    first = lab.user.create_time_request(50, "a long sweep")
    assert (first["status"], first["user"], first["requested_reason"]) == ("pending", lab.name, "a long sweep")
    with refused(403):
        lab.user.update_time_request(first["id"], "approved")
    approved = lab.admin.update_time_request(first["id"], "approved")
    assert approved["status"] == "approved"
    assert approved["handled_by"]
    assert lab.balance() == 150
    with refused(409):
        lab.admin.update_time_request(first["id"], "approved")
    second = lab.user.create_time_request(70)
    rejected = lab.admin.update_time_request(second["id"], "rejected", "ask next week")
    assert (rejected["status"], rejected["rejection_reason"]) == ("rejected", "ask next week")
    assert lab.balance() == 150
    assert {request["id"] for request in lab.user.list_time_requests()} == {first["id"], second["id"]}
    with refused(400):
        lab.user.create_time_request(-10)
    lab.admin.allocate_qpu_time(lab.name, 999_999_999)


# --- people and notices --------------------------------------------------------------------------------------------


def check_people_see_themselves_and_managers_everybody(lab: Lab) -> None:
    assert [user["id"] for user in lab.user.list_users()] == [lab.name]
    assert len(lab.admin.list_users()) > 1


def check_a_notice_stays_dismissed(lab: Lab) -> None:
    answer = requests.post(
        f"{lab.url}/api/collections/notifications/records",
        json={"title": "Fridge warms up", "description": "on Monday", "target_users": []},
        headers={"X-API-Token": lab.admin_token},
        timeout=30,
    )
    notice = answer.json()
    assert answer.status_code == 200, notice
    assert [found["title"] for found in lab.user.list_notifications()] == ["Fridge warms up"]
    for _ in range(2):
        assert lab.user.dismiss_notification(notice["id"]) == {"status": "dismissed"}
    lab.admin.dismiss_notification(notice["id"])
    assert lab.user.list_notifications() == []
    with refused(404):
        lab.user.dismiss_notification("not-there")


def check_signing_in_with_a_password(lab: Lab) -> None:
    with Recorder(QPIClient(lab.url, api_token=lab.admin_token)).client as client:
        person = Recorder(client)
        with refused(400, 401):
            person.auth_with_password(lab.name, "not the password")
        answer = person.auth_with_password(lab.name, lab.password)
        assert answer["token"]
        assert answer["record"]["username"] == lab.name
        assert [user["id"] for user in person.list_users()] == [lab.name]  # the sign-in counts, not the admin's token
        person.close()
    with QPIClient(lab.url, api_token="qpi_nobodys") as stranger, refused(401):
        stranger.list_jobs()


CHECKS: list[Callable[[Lab], None]] = [check for name, check in globals().items() if name.startswith("check_")]


def main() -> None:
    lab = Lab(*sys.argv[1:6])
    for check in CHECKS:
        start = time.monotonic()
        try:
            check(lab)
        except requests.HTTPError as error:
            print(error.response.text, flush=True)
            raise
        print(f"ok {check.__name__} {time.monotonic() - start:.1f} s", flush=True)
    lab.user.close()
    public = {name for name, _ in inspect.getmembers(QPIClient, inspect.isfunction) if not name.startswith("_")}
    assert Recorder.called == public, public ^ Recorder.called
    print("all methods used", flush=True)


if __name__ == "__main__":
    main()

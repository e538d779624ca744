"""The coordinator's surface, as its clients use it: bodies, states, refusals, and a socket that tells of a job."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import PATIENCE_S, wait_until

pytestmark = pytest.mark.slow
API = "qpi/coordinator/api/v1/"
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
ORDER = ["QUEUED", "COMPILING", "RESERVING", "EXECUTING", "COMPLETED", "FAILED"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("coordinator"), "--demo") as server:
        admin = server.client()
        wait_until(lambda: len(admin.get("qpi/health").json()["drivers"]) == 2, what="the drivers' start")
        yield server


def submitted(client: httpx.Client, circuit: str = BELL, **more: Any) -> str:
    """The id of a new job."""
    answer = client.post(f"{API}circuits/submit", json={"circuit": circuit, **more})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body.keys() == {"job_id", "status"}
    assert body["status"] == "QUEUED"
    return str(body["job_id"])


def over(client: httpx.Client, job_id: str, **query: str) -> dict[str, Any]:
    """The job, once it is over."""
    client.get(f"qpi/v1/jobs/{job_id}", params={"wait_s": 60}).raise_for_status()
    found: dict[str, Any] = client.get(f"{API}jobs/{job_id}", params=query).json()
    return found


def refused(answer: httpx.Response) -> tuple[int, str, str | None]:
    """Status, word and the lab's own code of a refusal."""
    body = answer.json()
    assert body.keys() == {"error", "message", "details", "request_id"}, answer.text
    assert body["request_id"] == answer.headers["X-Request-ID"]
    [detail] = body["details"]
    return answer.status_code, body["error"], detail["code"]


def test_what_it_is_and_whether_it_works_is_for_everybody(server: LabServer) -> None:
    anybody = server.client(None)
    about = anybody.get("qpi/coordinator/").json()
    assert about["api"] == "api/v1/"
    health = anybody.get(f"{API}health").json()
    assert (health["status"], health["persistence"]["database"]) == ("ok", {"mode": "ready", "reachable": True})
    assert health["uptime_seconds"] > 0
    assert anybody.get(f"{API}ready").json()["status"] == "ready"
    assert refused(anybody.get(f"{API}jobs"))[:2] == (401, "unauthorized")


def test_a_circuit_is_submitted_and_looked_at(server: LabServer) -> None:
    client = server.client()
    job_id = submitted(client, shots=256)
    job = over(client, job_id)
    assert job.keys() == {
        "job_id", "status", "plan_id", "error", "error_detail", "result", "progress", "circuit_text", "created_at",
        "updated_at",
    }  # fmt: skip
    assert (job["status"], job["error"], job["circuit_text"]) == ("COMPLETED", None, BELL)
    assert client.get(f"{API}plans/{job['plan_id']}").json()["plan_id"] == job["plan_id"]
    assert job["progress"] == {
        "total_fragments": 1, "completed_fragments": 1, "active_fragments": 0, "completion_ratio": 1.0,
        "latest_event_at": job["updated_at"], "finalizing": False,
    }  # fmt: skip
    [fragment] = job["result"]["fragment_results"]
    assert (fragment["status"], fragment["attempts"], fragment["state_transfer_bytes"]) == ("COMPLETED", 1, 0)
    assert (fragment["fragment_id"], fragment["execution_id"] != job_id) == ("fragment-0", True)
    assert 0 < fragment["observed_fidelity"] <= 1
    assert job["created_at"] < fragment["started_at"] < fragment["finished_at"] <= job["updated_at"]
    counts = job["result"]["quantum_result"]["counts"]
    assert counts.keys() <= {"00", "11"}
    assert sum(counts.values()) == 256
    line = client.get(f"{API}jobs", params={"limit": 1, "status": "COMPLETED"}).json()
    assert [one["job_id"] for one in line] == [job_id]
    assert (line[0]["circuit_preview"], line[0]["result_available"]) == ("h q[0];", True)
    assert client.get(f"{API}jobs", params=[("status", "QUEUED"), ("status", "FAILED")]).json() == []


SEED = """OPENQASM 3;
qubit[2] q;
bit[1] c;
bell_pair q[0], q[1];
cnot q[0], q[1];
cz q[0], q[1];
teleport q[0], q[1];
syndrome_extraction q[0];
distillation q[1];
measure q[0] -> c[0];"""


def test_the_coordinators_own_example_runs_through_it(server: LabServer) -> None:
    client = server.client()
    job = over(client, submitted(client, SEED))
    assert job["status"] == "COMPLETED", job["error_detail"]
    found = job["result"]["quantum_result"]
    assert found["problem"] is None
    assert sum(found["counts"].values()) == found["shots"] == 1024
    assert found.keys() >= {
        "counts", "probabilities", "measured_probabilities", "statevector", "shots", "measured_qubits",
        "observable_expectations", "reduced_density_matrices", "bloch_vectors", "entanglement_entropy", "fidelity",
        "top_basis_states",
    }  # fmt: skip
    assert 0 in found["measured_qubits"]
    exact = found["measured_probabilities"]
    for outcome, share in exact.items():
        assert abs(found["counts"].get(outcome, 0) / 1024 - share) < 0.1
    assert found["fidelity"]["fidelity_to_target_state"] > 0.98
    summary = client.get(f"{API}jobs/{job['job_id']}", params={"result_detail": "summary"}).json()
    assert not summary["result"]["quantum_result"].keys() & {"probabilities", "statevector", "reduced_density_matrices"}


def test_observables_are_measured_with_their_errors(server: LabServer) -> None:
    client = server.client()
    bell = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nh q[0];\ncx q[0], q[1];\n'
    found = over(client, submitted(client, bell, observables=["ZZ", "ZI"]))["result"]["quantum_result"]
    measured, exact = found["measured_expectations"], found["observable_expectations"]
    assert [measured["ZZ"]["value"], exact["ZZ"]] == pytest.approx([1.0, 1.0])
    assert exact["ZI"] == pytest.approx(0.0)
    assert abs(measured["ZI"]["value"]) < 6 * measured["ZI"]["error"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"circuit": "OPENQASM 4.0;\nqubit[2] q;"}, 400, "validation_error"),
        ({"circuit": ""}, 400, "validation_error"),
        ({"circuit": BELL, "shots": 0}, 400, "validation_error"),
        ({"circuit": BELL, "min_fidelity": 1.5}, 400, "validation_error"),
        ({"circuit": BELL, "shotz": 3}, 400, "validation_error"),
        ({}, 400, "validation_error"),
        ([], 400, "validation_error"),
        ({"circuit": BELL + "//" + "x" * (1 << 20)}, 413, "resource_exhausted"),
    ],
)
def test_a_bad_circuit_is_refused_and_says_why(server: LabServer, body: object, status: int, code: str) -> None:
    assert refused(server.client().post(f"{API}circuits/submit", json=body))[:2] == (status, code)


def test_what_is_not_there(server: LabServer) -> None:
    client = server.client()
    assert refused(client.get(f"{API}jobs/nothing"))[:2] == (404, "not_found")
    assert refused(client.get(f"{API}nothing"))[:2] == (404, "not_found")
    assert refused(client.get(f"{API}jobs", params={"limit": "201"}))[:2] == (400, "validation_error")


def watched(server: LabServer, job_id: str, token: str | None = TOKEN) -> tuple[list[dict[str, Any]], int | None]:
    """What a socket tells of a job, and the code with which it closes."""

    async def follow() -> tuple[list[dict[str, Any]], int | None]:
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        url = f"ws{server.url.removeprefix('http')}{API}jobs/{job_id}/ws"
        socket = await websocket_connect(HTTPRequest(url, headers=headers))
        told = []
        async with asyncio.timeout(PATIENCE_S):
            while (message := await socket.read_message()) is not None:
                told.append(json.loads(message))
        code = socket.close_code
        socket.close()
        return told, code

    return asyncio.run(follow())


def test_a_socket_tells_of_every_change_and_closes_with_the_job(server: LabServer) -> None:
    client = server.client()
    job_id = submitted(client)
    told, code = watched(server, job_id)
    states = [job["status"] for job in told]
    assert (states[-1], told[-1]["result"]["quantum_result"]) == ("COMPLETED", None)
    assert states == sorted(states, key=ORDER.index), "no state goes back"
    assert code == 1000


@pytest.mark.parametrize(("job_id", "token", "code"), [("nothing", TOKEN, 4404), ("nothing", None, 4401)])
def test_a_socket_that_is_refused_says_so_by_its_code(
    server: LabServer, job_id: str, token: str | None, code: int
) -> None:
    assert watched(server, job_id, token) == ([], code)


def test_a_page_of_another_server_opens_no_socket(server: LabServer) -> None:
    handshake = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Origin": "https://evil.example",
    }  # fmt: skip
    browser = server.client(None)
    assert browser.get("qpi/v1/openapi.json", params={"token": TOKEN}).status_code == 200  # now it has a cookie
    assert browser.get(f"{API}jobs/nothing/ws", headers=handshake).status_code == 403


PRICES = """date,oak,elm,ash,fir
2026-01-01,100,50,20,80
2026-01-02,102,49,21,80.5
2026-01-03,101,51,22,81
2026-01-04,104,50,21.5,82
2026-01-05,106,52,23,82.2
"""


def test_a_portfolio_is_chosen_by_real_jobs_and_compared_with_the_exact_answer(server: LabServer) -> None:
    client = server.client()
    answer = client.post(f"{API}finance/submit", json={"filename": "wood.csv", "csv": PRICES, "seed": 7})
    assert answer.status_code == 201, answer.text
    job_id = answer.json()["job_id"]
    client.get(f"qpi/v1/jobs/{job_id}", params={"wait_s": 60}).raise_for_status()
    job = client.get(f"{API}finance/{job_id}").json()
    assert (job["status"], job["filename"], job["row_count"], job["col_count"]) == ("completed", "wood.csv", 5, 4)
    found = client.get(f"{API}finance/{job_id}/comparison").json()
    quantum, classical = found["quantum"], found["classical"]
    assert (quantum["circuits"], quantum["budget"], classical["evaluated"]) == (36, 2, 6)
    assert found["random_guess_probability"] == pytest.approx(1 / 6)
    assert found["gap"] >= 0
    assert 0 < quantum["optimum_probability"] <= quantum["feasible_probability"] <= 1
    assert len(quantum["selection"]["assets"]) == len(classical["selection"]["assets"]) == 2
    counts = client.get(f"qpi/v1/jobs/{job_id}/result").json()["results"]
    assert len(counts) == 36, "what is told was measured"
    assert [one["job_id"] for one in client.get(f"{API}finance").json()] == [job_id]


@pytest.mark.parametrize(
    "body",
    [
        {"csv": "a,b\n1,2\n"},
        {"csv": "a,b\n1,2\n2,x\n3,4\n"},
        {"csv": "a,b\n1,2\n0,3\n3,4\n"},
        {"assets": ["a", "b"], "expected_returns": [1.0], "covariance": [[1, 0], [0, 1]]},
        {"assets": ["a", "b"], "expected_returns": [1, 2], "covariance": [[1, 0.5], [0, 1]]},
        {"assets": ["a", "b"], "expected_returns": [1, 2], "covariance": [[1, 0], [0, 1]], "budget": 2},
        {},
    ],
)
def test_a_bad_portfolio_is_refused(server: LabServer, body: object) -> None:
    assert refused(server.client().post(f"{API}finance/submit", json=body))[:2] == (400, "validation_error")


def test_a_run_is_a_job_and_is_benchmarked_against_one_qpu(server: LabServer) -> None:
    client = server.client()
    body = {"workflow_definition_id": "circuit", "project_id": "forest", "input_snapshot": {"circuit": BELL}}
    answer = client.post(f"{API}workflows/runs", json=body)
    assert answer.status_code == 201, answer.text
    run_id = answer.json()["run_id"]
    over(client, run_id)
    run = client.get(f"{API}workflows/runs/{run_id}").json()
    assert (run["status"], run["project_id"], run["completed_fragments"]) == ("completed", "forest", 1)
    answer = client.post(f"{API}workflows/benchmarks", json={"workflow_run_id": run_id})
    assert answer.status_code == 201, answer.text
    benchmark_id = answer.json()["benchmark_id"]
    over(client, benchmark_id)
    found = client.get(f"{API}workflows/benchmarks/{benchmark_id}").json()
    assert (found["status"], found["workflow_run_id"]) == ("completed", run_id)
    assert found["quantum_metrics"]["success_rate"] == found["centralized_metrics"]["success_rate"] == 1.0
    assert found["comparison_summary"]["latency_ratio"] > 0
    assert refused(client.get(f"{API}workflows/benchmarks/{run_id}"))[:2] == (404, "not_found")


def test_a_portfolio_is_a_run_and_is_benchmarked_against_the_exact_answer(server: LabServer) -> None:
    client = server.client()
    body = {"workflow_definition_id": "portfolio", "input_snapshot": {"csv": PRICES}}
    run_id = client.post(f"{API}workflows/runs", json=body).json()["run_id"]
    client.get(f"qpi/v1/jobs/{run_id}", params={"wait_s": 60}).raise_for_status()
    assert client.get(f"{API}workflows/runs/{run_id}").json()["workflow_definition_id"] == "portfolio"
    found = client.post(f"{API}workflows/benchmarks", json={"workflow_run_id": run_id}).json()
    assert found["classical_metrics"]["evaluated"] == 6
    assert found["comparison_summary"]["gap"] >= 0
    bad = {"workflow_definition_id": "circuit", "input_snapshot": {"circuits": BELL}}
    assert refused(client.post(f"{API}workflows/runs", json=bad))[:2] == (400, "validation_error")


def test_a_plan_is_shown_with_every_node_that_can_run_it(server: LabServer) -> None:
    client = server.client()
    body = {"program": {"format": "openqasm3", "sources": [BELL]}}
    planned = client.post("qpi/v1/plans", json=body)
    assert planned.status_code == 200, planned.text
    found = client.get(f"{API}plans/{planned.json()['plan_id']}").json()
    [name] = found["fragment_order"]
    assert (found["fragments"][name]["qubits"], found["fragments"][name]["dependencies"]) == ([0, 1], [])
    assigned = found["assignments"][name]
    assert assigned["primary_node_id"] == assigned["candidates"][0]["node_id"]
    for node in assigned["candidates"]:
        terms = ("latency_cost", "failure_risk_cost", "entanglement_cost", "load_cost")
        assert sum(node[term] for term in terms) == pytest.approx(node["total_cost"])
    assert refused(client.get(f"{API}plans/plan-nothing"))[:2] == (404, "not_found")

"""What the distributed services coordinator's own project required of it, FR-001 to FR-014, on a lab of real
processes: three small simulators behind the coordinator's surface."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.servers import TOKEN, LabServer, lab_server, python_env
from tests.support.waiting import wait_until

API = "qpi/coordinator/api/v1/"
BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
cx q[0], q[1];
c = measure q;
"""
NODES = {"node-a": 5, "node-b": 5, "node-c": 7}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("requirements"), "--log-json") as server:
        admin = server.client()
        for name, qubits in NODES.items():
            body = {"name": name, "options": {"num_qubits": qubits}}
            admin.post("qpi/v1/simulators", json=body).raise_for_status()
        wait_until(lambda: len(admin.get("qpi/health").json()["drivers"]) == len(NODES), what="the nodes' start")
        yield server


def submitted(client: httpx.Client, circuit: str = BELL, **more: Any) -> str:
    """The id of a new job."""
    answer = client.post(f"{API}circuits/submit", json={"circuit": circuit, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["job_id"])


def over(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job, once it is over."""
    client.get(f"qpi/v1/jobs/{job_id}", params={"wait_s": 60}).raise_for_status()
    found: dict[str, Any] = client.get(f"{API}jobs/{job_id}").json()
    return found


def counts_of(client: httpx.Client, circuit: str) -> dict[str, int]:
    """What a circuit gives."""
    job = over(client, submitted(client, circuit, shots=64))
    assert job["status"] == "COMPLETED", job["error"]
    counts: dict[str, int] = job["result"]["quantum_result"]["counts"]
    return counts


def detail(answer: httpx.Response) -> dict[str, Any]:
    """The one reason of a refusal."""
    [found] = answer.json()["details"]
    return dict(found)


def test_fr_003_openqasm_2_and_3_are_read_and_bad_syntax_says_where(server: LabServer) -> None:
    client = server.client()
    three = "OPENQASM 3.0; include \"stdgates.inc\"; qubit[3] q; bit[2] c; x q[2]; swap q[2], q[1]; c[1] = measure q[1];"
    two = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg c[2]; x q[2]; swap q[2],q[1]; measure q[1] -> c[1];'
    assert counts_of(client, three) == counts_of(client, two) == {"10": 64}
    answer = client.post(f"{API}circuits/submit", json={"circuit": "OPENQASM 3.0;\nqubit[2] q;\nh q[0]\nx q[1];\n"})
    assert answer.status_code == 400
    found = detail(answer)
    assert found["data"]["line"] in (3, 4)
    assert found["data"]["column"] >= 1
    answer = client.post(f"{API}circuits/submit", json={"circuit": "OPENQASM 3.0;\nqubit[2] q;\nnothing q[0];\n"})
    assert (answer.status_code, detail(answer)["data"]["line"]) == (400, 3)


def test_fr_009_a_job_id_comes_at_once_and_leads_to_its_states(server: LabServer) -> None:
    client = server.client()
    job_id = submitted(client)
    assert client.get(f"{API}jobs/{job_id}").json()["status"] in (
        "QUEUED", "COMPILING", "RESERVING", "EXECUTING", "COMPLETED",
    )  # fmt: skip
    assert over(client, job_id)["status"] == "COMPLETED"


def test_fr_011_a_bad_setting_stops_the_start_and_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "qpi_server.tools.standalone", "--allow-root", "--show-config", "--heartbeat-s", "no"]
    env = python_env(HOME=str(tmp_path), QPI_LAB_DIR=str(tmp_path / "lab"))
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "heartbeat" in done.stderr


def test_fr_012_the_log_is_json_with_the_ids_and_the_figures_count(server: LabServer) -> None:
    client = server.client()
    answer = client.post(f"{API}circuits/submit", json={"circuit": BELL}, headers={"X-Request-ID": "fr-012"})
    job_id = answer.json()["job_id"]
    over(client, job_id)
    told = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert any(line.get("request") == "fr-012" and line.get("job") == job_id for line in told)
    figures = client.get("qpi/metrics").text
    for name in ("qpi_jobs_queued", "qpi_job_wait_seconds_count", "qpi_attempts_total", "qpi_jobs_ended_total"):
        assert name in figures
    health = server.client(None).get(f"{API}ready").json()
    assert health["persistence"].keys() == {"database", "bus"}


def test_fr_013_a_circuit_is_compared_distributed_and_centralised(server: LabServer) -> None:
    client = server.client()
    run = {"workflow_definition_id": "circuit", "input_snapshot": {"circuit": BELL}}
    run_id = client.post(f"{API}workflows/runs", json=run).json()["run_id"]
    over(client, run_id)
    benchmark_id = client.post(f"{API}workflows/benchmarks", json={"workflow_run_id": run_id}).json()["benchmark_id"]
    over(client, benchmark_id)
    found = client.get(f"{API}workflows/benchmarks/{benchmark_id}").json()
    for way in ("quantum_metrics", "centralized_metrics"):
        assert found[way].keys() >= {"latency_s", "success_rate", "estimated_fidelity", "attempts"}


def test_fr_014_keys_rates_sizes_and_fields_are_checked(server: LabServer) -> None:
    client, anybody = server.client(), server.client(None)
    assert anybody.get(f"{API}jobs").status_code == 401
    assert server.client(f"{TOKEN}x").get(f"{API}jobs").status_code in (401, 403)
    too_long = client.post(f"{API}circuits/submit", json={"circuit": BELL + "//" + "x" * (1 << 20)})
    assert (too_long.status_code, too_long.json()["error"]) == (413, "resource_exhausted")
    unknown = client.post(f"{API}circuits/submit", json={"circuit": BELL, "shotz": 1})
    assert (unknown.status_code, detail(unknown)["field"]) == (400, "shotz")
    answers = (anybody.get(f"{API}health") for _ in range(2_000))
    limited = next(answer for answer in answers if answer.status_code == 429)
    assert (limited.json()["error"], int(limited.headers["Retry-After"]) >= 1) == ("rate_limited", True)

"""The circuit task service's session with curl, as its page has it, and what its clients may meet."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.support.servers import ROOT, TOKEN, LabServer, lab_server
from tests.support.waiting import wait_until

BELL = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0],q[1]; '
    "c[0] = measure q[0]; c[1] = measure q[1];"
)
PAGE = ROOT / "docs" / "how-to" / "circuit-tasks.md"
FIELDS = {"id", "circuit_qasm", "shots", "status", "result", "error", "created_at", "completed_at"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with lab_server(tmp_path_factory.mktemp("tasks"), "--demo", "--QPIServer.open_tasks=True") as server:
        admin = server.client()
        wait_until(lambda: len(admin.get("qpi/health").json()["drivers"]) == 2, what="the drivers' start")
        yield server


def said(command: str, **env: str) -> dict[str, object]:
    """What a line of shell prints."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60, env=env)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def taken(client: httpx.Client, text: str = BELL, **more: str) -> str:
    """The id of a new task."""
    answer = client.post("qpi/tasks", json={"quantum_circuit": text, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["task_id"])


def over(client: httpx.Client, task_id: object) -> dict[str, object]:
    """The task, once it is over."""
    client.get(f"qpi/v1/jobs/{task_id}", params={"wait_s": 60}).raise_for_status()
    found: dict[str, object] = client.get(f"qpi/tasks/{task_id}").json()
    return found


@pytest.mark.parametrize("signed_in", [True, False])
def test_the_session_of_the_page_runs_as_it_is_written(server: LabServer, signed_in: bool) -> None:
    page = PAGE.read_text().partition("```bash\n")[2].partition("```")[0]
    if not signed_in:
        page = re.sub(r'-H "Authorization: Bearer \$TOKEN"( \\\n)?', "", page)
    health, submit, ask = (f"curl{line}" for line in re.sub("\n#.*", "", page).split("curl")[1:])
    env = {"LAB": server.url.rstrip("/"), "TOKEN": TOKEN}
    assert said(health, **env)["status"] == "up"
    accepted = said(submit, **env)
    assert accepted.keys() == {"task_id", "status"}
    assert accepted["status"] == "pending"
    env["TASK"] = str(accepted["task_id"])
    wait_until(lambda: said(ask, **env)["status"] in ("completed", "failed"), what="the end of the task")
    task = said(ask, **env)
    assert task.keys() == FIELDS
    assert (task["status"], task["shots"], task["circuit_qasm"], task["error"]) == ("completed", 1024, BELL, None)
    counts = task["result"]
    assert isinstance(counts, dict)
    assert counts.keys() == {"00", "11"}
    assert sum(counts.values()) == 1024
    assert task["completed_at"]


def test_shots_and_registers(server: LabServer) -> None:
    client = server.client()
    text = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[3]; creg a[1]; creg b[2]; x q[1]; measure q[0] -> a[0];'
    text += " measure q[1] -> b[0]; measure q[2] -> b[1];"
    task = over(client, taken(client, text))
    assert (task["shots"], task["result"]) == (1024, {"01 0": 1024})


def test_a_task_that_is_cancelled_has_failed(server: LabServer) -> None:
    client = server.client()
    client.patch("qpi/v1/qpus/sim-a", json={"hold": "a test"}).raise_for_status()
    task_id = taken(client, qpu="sim-a")
    waiting = client.get(f"qpi/tasks/{task_id}").json()
    assert (waiting["status"], waiting["result"], waiting["completed_at"]) == ("pending", None, None)
    client.post(f"qpi/v1/jobs/{task_id}/cancel").raise_for_status()
    client.patch("qpi/v1/qpus/sim-a", json={"hold": None}).raise_for_status()
    task = over(client, task_id)
    assert (task["status"], task["result"], task["error"]) == ("failed", None, "Cancelled")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"quantum_circuit": "OPENQASM 3; qubit[2] q; h"}, 400),
        ({"quantum_circuit": ""}, 400),
        ({"quantum_circuit": BELL, "shots": 0}, 400),
        ({"quantum_circuit": BELL, "shots": "many"}, 400),
        ({"quantum_circuit": BELL, "shotz": 3}, 400),
        ({"shots": 3}, 400),
        ([], 400),
    ],
)
def test_a_bad_task_is_refused_with_a_detail(server: LabServer, body: object, status: int) -> None:
    answer = server.client().post("qpi/tasks", json=body)
    assert (answer.status_code, answer.json().keys()) == (status, {"detail"}), answer.text


def test_no_such_task(server: LabServer) -> None:
    client = server.client()
    two = {"program": {"format": "openqasm3", "sources": [BELL, BELL]}}
    job = client.post("qpi/v1/jobs", json=two).json()["id"]
    for task_id in ("nothing", job):
        answer = client.get(f"qpi/tasks/{task_id}")
        assert (answer.status_code, answer.json()) == (404, {"detail": "Task not found"})
    answer = server.client().get("qpi/tasks/")
    assert (answer.status_code, answer.json().keys()) == (404, {"detail"})


def test_without_a_token_nobody_reads_what_others_sent(server: LabServer) -> None:
    mine = server.client().post("qpi/tasks", json={"quantum_circuit": BELL}).json()["task_id"]
    guest = server.client(None)
    assert guest.get(f"qpi/tasks/{mine}").status_code == 404
    assert guest.get(f"qpi/v1/jobs/{mine}").status_code in (401, 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "lab.evil.example"},
        {"Host": "[127.0.0.1"},
        {"X-Forwarded-For": "10.1.2.3"},
        {"x-forwarded-host": "lab.example"},
        {"x-real-ip": "10.1.2.3"},
        {"Content-Type": "text/plain"},
    ],
)
def test_without_a_token_no_page_and_no_proxy_gets_in(server: LabServer, headers: dict[str, str]) -> None:
    body = json.dumps({"quantum_circuit": BELL})
    answer = server.client(None).post(
        "qpi/tasks", content=body, headers={"Content-Type": "application/json", **headers}
    )
    assert answer.status_code == 403, answer.text


def test_a_token_is_needed_unless_the_lab_says_otherwise(
    tmp_path_factory: pytest.TempPathFactory, server: LabServer
) -> None:
    wrong = server.client("qpi_wrong").post("qpi/tasks", json={"quantum_circuit": BELL})
    assert wrong.status_code in (401, 403)
    with lab_server(tmp_path_factory.mktemp("closed")) as closed:
        answer = closed.client(None).post("qpi/tasks", json={"quantum_circuit": BELL})
        assert answer.status_code == 401
        assert "token" in answer.json()["detail"]

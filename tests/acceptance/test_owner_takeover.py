"""The owner of the lab dies; another server of the same user goes on in its place."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import httpx
import psutil
import pytest

from qpi_jupyter.wire import WIRE_VERSION
from tests.support.servers import LabServer, lab_server
from tests.support.waiting import PATIENCE_S, survivors, wait_until

pytestmark = pytest.mark.slow

pytestmark = pytest.mark.slow

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'
TAKEOVER_S = 5.0


def submit(client: httpx.Client, shots: int, key: str) -> str:
    body = {"program": {"format": "openqasm3", "sources": [BELL]}, "qpu": "sim-b", "options": {"shots": shots}}
    answer = client.post("qpi/v1/jobs", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


def drivers_of(lab_dir: Path) -> list[psutil.Process]:
    """Every process that was started as an embedded driver of this lab."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "qpi_agent" in words and any(word.startswith(str(lab_dir)) for word in words):
            found.append(process)
    return found


def owner_pid(client: httpx.Client) -> int | None:
    try:
        answer = client.get("qpi/health")
    except httpx.TransportError:
        return None
    return int(answer.json()["owner"]["pid"]) if answer.status_code == 200 else None


def is_online(client: httpx.Client, qpu: str) -> bool:
    return bool(client.get(f"qpi/v1/qpus/{qpu}").json()["status"] == "online")


@pytest.mark.parametrize("end", ["killed", "asked to stop"])
def test_the_second_server_takes_over_and_finishes_what_was_queued(tmp_path: Path, end: str) -> None:
    lab_dir = tmp_path / "lab"
    with lab_server(tmp_path / "a", "--demo", lab_dir=lab_dir) as first:
        with lab_server(tmp_path / "b", lab_dir=lab_dir) as second:
            client = second.client()
            wait_until(lambda: is_online(client, "sim-b"), PATIENCE_S, "the start of the simulators")
            assert owner_pid(client) == first.process.pid
            old_drivers = drivers_of(lab_dir)
            assert old_drivers
            jobs = [submit(client, shots=1000 + n, key=f"job-{n}") for n in range(12)]
            assert client.get(f"qpi/v1/jobs/{jobs[0]}?wait_s=30").json()["status"] == "completed"

            first.kill() if end == "killed" else first.process.terminate()
            since = time.monotonic()
            wait_until(lambda: owner_pid(client) == second.process.pid, PATIENCE_S, "the takeover")
            took_s = time.monotonic() - since
            if end == "killed":
                assert took_s < TAKEOVER_S, f"the takeover took {took_s:.1f} s"
            assert json.loads((lab_dir / "owner.json").read_text())["url"] == second.url
            # a repeated submit, as a client repeats it that saw no answer, is the same job
            assert submit(client, shots=1000, key="job-0") == jobs[0]
            for number, job_id in enumerate(jobs):
                job = client.get(f"qpi/v1/jobs/{job_id}?wait_s=60").json()
                assert job["status"] == "completed", job
                assert sum(job["counts"][0].values()) == 1000 + number
            alive = survivors(old_drivers, 20)
            assert not alive, f"orphans: {alive}"
        assert not drivers_of(lab_dir)


def test_a_request_that_waits_on_the_owner_is_answered_by_its_successor(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    lab_dir = tmp_path / "lab"
    with (
        lab_server(tmp_path / "a", "--demo", "--QPIServer.embedded_drivers=False", lab_dir=lab_dir) as first,
        lab_server(tmp_path / "b", lab_dir=lab_dir) as second,
        ThreadPoolExecutor(1) as pool,
    ):
        client = second.client()
        job_id = submit(client, shots=1, key="k")
        waiting = pool.submit(second.client().get, f"qpi/v1/jobs/{job_id}?wait_s=60")
        wait_until(lambda: _is_waiting(first), what="the long-poll's arrival")
        first.kill()
        wait_until(lambda: owner_pid(client) == second.process.pid, TAKEOVER_S, "the takeover")
        assert client.post(f"qpi/v1/jobs/{job_id}/cancel").status_code == 200
        assert waiting.result(10).json()["status"] == "cancelled"


def _is_waiting(server: LabServer) -> bool:
    """Whether the owner holds the takeover watch and another open request: two connections that stay."""
    connections = psutil.Process(server.process.pid).net_connections(kind="tcp")
    return sum(connection.status == psutil.CONN_ESTABLISHED for connection in connections) >= 2


def test_an_owner_of_another_wire_version_is_refused_by_name(tmp_path: Path) -> None:
    lab_dir = tmp_path / "lab"
    with lab_server(tmp_path / "a", lab_dir=lab_dir):
        file = lab_dir / "owner.json"
        record = json.loads(file.read_text())
        file.write_text(json.dumps({**record, "wire": WIRE_VERSION + 1, "version": "9.9"}))
        with lab_server(tmp_path / "b", lab_dir=lab_dir, ready=(409,)) as second:
            error = second.client().get("qpi/v1/qpus").json()["error"]
    assert error["code"] == "wire_version"
    assert "9.9" in error["message"]
    assert f"wire version {WIRE_VERSION}" in error["message"]


def test_a_pure_forwarder_has_no_lab_of_its_own(tmp_path: Path) -> None:
    with lab_server(tmp_path / "a", "--demo", "--QPIServer.embedded_drivers=False") as lab:
        token = lab.client().post("qpi/v1/tokens", json={}).json()["token"]
        upstream = {"QPI_UPSTREAM_URL": lab.url, "QPI_UPSTREAM_TOKEN": token}
        with lab_server(tmp_path / "b", **upstream) as forwarder:
            assert forwarder.client().get("qpi/v1/qpus").json() == lab.client().get("qpi/v1/qpus").json()
            assert forwarder.client(None).get("qpi/v1/qpus").status_code == 401
            assert not forwarder.lab_dir.exists()
            lab.kill()
            gone = forwarder.client().get("qpi/v1/qpus")
            assert gone.status_code == 503
            assert gone.headers["Retry-After"]


def test_a_server_that_is_told_twice_to_stop_stops_once_and_leaves_nobody(tmp_path: Path) -> None:
    with lab_server(tmp_path / "a", "--demo") as server:
        client = server.client()
        wait_until(lambda: is_online(client, "sim-b"), PATIENCE_S, "the start of the simulators")
        drivers = drivers_of(server.lab_dir)
        assert drivers
        server.process.terminate()
        server.process.send_signal(signal.SIGINT)
        server.process.terminate()
        server.process.wait(PATIENCE_S)
        alive = survivors(drivers, 10)
        assert not alive, [process.cmdline() for process in alive]
    assert not (server.lab_dir / "owner.json").exists()

"""SIGTERM, as systemd and Docker send it: who waits is answered, who runs goes on, and the server ends soon."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from qpi_server.service import EmbeddedDriver, Lab, LabConfig
from tests.circuits import BELL_QASM3
from tests.support.realworld import free_port
from tests.support.servers import TOKEN, LabServer, lab_server, python_env
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

READY_S = 60.0
SOON_S = 8.0
"""Docker kills after ten."""


def submit(client: httpx.Client, qpu: str) -> str:
    body = {"program": {"format": "openqasm3", "sources": [BELL_QASM3.decode()]}, "qpu": qpu}
    answer = client.post("qpi/v1/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def online(client: httpx.Client, qpu: str) -> bool:
    return bool(client.get(f"qpi/v1/qpus/{qpu}").json()["status"] == "online")


def running(client: httpx.Client, job: str) -> bool:
    return bool(client.get(f"qpi/v1/jobs/{job}").json()["phase"] == "running")


@contextmanager
def driver(server: LabServer, folder: Path, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """A driver of its own, on a QPU ``fridge``, that takes so long for each job."""
    admin = server.client()
    admin.post("qpi/v1/qpus", json={"name": "fridge", "kind": "pool"}).raise_for_status()
    made = admin.post("qpi/v1/drivers", json={"name": "control-pc", "qpu": "fridge", "allow_simulator": True}).json()
    command = [
        sys.executable, "-m", "qpi_agent", "start", "--qpi-addr", server.url, "--name", "control-pc",
        "--executor", "tests.faults.executors:RecordingExecutor", "-o", f"seconds={seconds}",
        "--data-dir", str(folder / "data"),
    ]  # fmt: skip
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(command, env=python_env(QPI_ACCESS_TOKEN=made["token"]), stdout=log, stderr=log)
    try:
        wait_until(lambda: online(admin, "fridge"), READY_S, "the driver")
        yield process
    finally:
        process.terminate()
        assert process.wait(30) == 0


async def define(lab_dir: Path, seconds: float) -> None:
    """A lab with a simulator ``own`` that its server runs, and that takes so long for each job."""
    lab = await Lab.open(LabConfig(lab_dir=lab_dir))
    executor = "tests.faults.executors:RecordingExecutor"
    await lab.embedded.define(EmbeddedDriver(name="own", qpu="own", executor=executor, options={"seconds": seconds}))
    await lab.close()


def stream(server: LabServer, began: Any) -> list[str]:
    """The lines of an event stream, until it ends."""
    with server.client().stream("GET", "qpi/v1/events", headers={"Accept": "text/event-stream"}) as answer:
        lines = answer.iter_lines()
        found = [next(lines)]
        began()
        return found + list(lines)


def test_everybody_who_waits_is_answered_and_the_driver_brings_its_result_later(tmp_path: Path) -> None:
    port, lab_dir = free_port(), tmp_path / "lab"
    with (
        ThreadPoolExecutor(8) as pool,
        lab_server(tmp_path / "first", lab_dir=lab_dir, port=port) as first,
        driver(first, tmp_path, seconds=6.0),
    ):
        client = first.client()
        job = submit(client, "fridge")
        wait_until(lambda: running(client, job), READY_S, "the run")
        cursor = client.get("qpi/v1/events", params={"newest": "true"}).json()["cursor"]
        waiting = [
            pool.submit(first.client().get, "qpi/v1/events", params={"after": cursor + 100, "wait_s": 60}),
            pool.submit(first.client().get, f"qpi/v1/jobs/{job}", params={"wait_s": 60, "version": 10**6}),
        ]
        open_streams: list[bool] = []
        streams = [pool.submit(stream, first, lambda: open_streams.append(True)) for _ in range(3)]
        wait_until(lambda: len(open_streams) == 3, READY_S, "the streams")

        since = time.monotonic()
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(30) == 0
        took_s = time.monotonic() - since

        for one in waiting:
            answer = one.result(5)
            assert answer.status_code in (200, 503), answer.text
            assert answer.headers["content-type"] == "application/json"
        for each in streams:
            told = each.result(5)
            assert "event:end" in told, told
            assert json.loads(told[told.index("event:end") + 1].removeprefix("data:")) == {"code": "closing"}
        assert took_s < SOON_S, f"it took {took_s:.1f} s"

        with lab_server(tmp_path / "second", lab_dir=lab_dir, port=port) as second:
            done = second.client().get(f"qpi/v1/jobs/{job}", params={"wait_s": 40}).json()
            assert (done["status"], done["attempt"]) == ("completed", 1), done


@pytest.mark.parametrize(("seconds", "attempts"), [(2.0, 1), (20.0, 2)], ids=["short", "long"])
def test_what_runs_in_the_servers_own_simulator_ends_or_runs_again(
    tmp_path: Path, seconds: float, attempts: int
) -> None:
    lab_dir = tmp_path / "lab"
    asyncio.run(define(lab_dir, seconds))
    with lab_server(tmp_path / "first", lab_dir=lab_dir) as first:
        client = first.client()
        wait_until(lambda: online(client, "own"), READY_S, "the simulator")
        job = submit(client, "own")
        wait_until(lambda: running(client, job), READY_S, "the run")
        since = time.monotonic()
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(30) == 0
        assert time.monotonic() - since < SOON_S
    with lab_server(tmp_path / "second", lab_dir=lab_dir) as second:
        client = second.client()
        done = client.get(f"qpi/v1/jobs/{job}", params={"wait_s": 60}).json()
        assert (done["status"], done["attempt"]) == ("completed", attempts), done


def test_a_request_in_the_middle_of_its_body_does_not_keep_the_server(tmp_path: Path) -> None:
    with lab_server(tmp_path) as server, socket.create_connection(("127.0.0.1", httpx.URL(server.url).port)) as half:
        half.sendall(
            f"POST /qpi/v1/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{".encode()
        )
        assert server.client().get("qpi/health").status_code == 200
        since = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        assert time.monotonic() - since < SOON_S

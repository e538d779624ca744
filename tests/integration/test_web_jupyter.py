"""The lab inside a Jupyter server: its events on Jupyter's bus, and the way there in its kernels' environment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from qpi_jupyter.wire.events import JUPYTER_SCHEMA_ID
from tests.support.driver import websocket
from tests.support.servers import TOKEN, LabServer, lab_server
from tests.support.waiting import wait_until

EXTENSION = "--ServerApp.jpserver_extensions={'qpi_server': True}"
JOB = {"program": {"format": "openqasm3", "sources": ["OPENQASM 3.0;"]}, "qpu": "sim-b", "options": {"shots": 10}}


@pytest.fixture(scope="module")
def owner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    folder = tmp_path_factory.mktemp("owner")
    options = (EXTENSION, "--QPIServer.demo=True", "--QPIServer.embedded_drivers=False")
    with lab_server(folder, *options, module="jupyter_server") as server:
        yield server


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, owner: LabServer) -> Iterator[LabServer]:
    folder = tmp_path_factory.mktemp("second")
    with lab_server(folder, EXTENSION, lab_dir=owner.lab_dir, module="jupyter_server") as server:
        yield server


@pytest.fixture(params=["owner", "second"])
def server(request: pytest.FixtureRequest) -> LabServer:
    found: LabServer = request.getfixturevalue(request.param)
    return found


def subscribed(server: LabServer, submit: Any) -> list[dict[str, Any]]:
    """The lab's events on the server's bus until the cancelled job is reported."""

    async def listen() -> list[dict[str, Any]]:
        seen: list[dict[str, Any]] = []
        async with websocket(f"ws{server.url[4:]}api/events/subscribe", TOKEN) as socket, asyncio.timeout(20):
            submitting = asyncio.create_task(asyncio.to_thread(submit))
            while not any(event.get("data", {}).get("status") == "cancelled" for event in seen):
                event = json.loads(await socket.read_message() or "{}")
                if event.get("schema_id") == JUPYTER_SCHEMA_ID:
                    seen.append(event)
            await submitting
        return seen

    return asyncio.run(listen())


def test_the_labs_events_are_on_jupyters_bus(server: LabServer, owner: LabServer) -> None:
    me = owner.client()
    submitted: list[str] = []

    def submit() -> None:
        submitted.append(me.post("qpi/v1/jobs", json=JOB).json()["id"])
        me.post(f"qpi/v1/jobs/{submitted[0]}/cancel")

    seen = subscribed(server, submit)
    assert {event["job_id"] for event in seen} == set(submitted)
    assert seen[0]["kind"] == "job.submitted"
    for before, after in pairwise(seen):
        assert after["prev"] == before["seq"]


def test_nobody_forges_the_labs_events(server: LabServer) -> None:
    forged = {"schema_id": JUPYTER_SCHEMA_ID, "version": "1", "data": {"seq": 1, "prev": 0, "at": "", "kind": "x"}}
    answer = server.client().post("api/events", json=forged)
    assert answer.status_code == 403
    assert server.client(None).post("api/events", json=forged).status_code == 403
    other = server.client().post("api/events", json={**forged, "schema_id": "https://example.org/unknown"})
    assert other.status_code == 400


def test_a_kernel_finds_its_own_servers_lab(server: LabServer) -> None:
    me = server.client()
    started = me.post("api/kernels", json={"name": "python3"})
    assert started.status_code == 201, started.text
    try:
        process = wait_until(lambda: _kernel_of(server), what="the kernel's start")
        environment = process.environ()
        assert environment["QPI_LAB_URL"] == server.url
        assert environment["QPI_LOAD_MAGICS"] == "true"
        with httpx.Client(trust_env=False, timeout=120) as kernel:
            token = environment["QPI_LAB_TOKEN"]
            answer = kernel.get(
                f"{environment['QPI_LAB_URL']}qpi/v1/qpus", headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.status_code == 200
    finally:
        me.delete(f"api/kernels/{started.json()['id']}")


def _kernel_of(server: LabServer) -> psutil.Process | None:
    for child in psutil.Process(server.process.pid).children():
        if "ipykernel_launcher" in " ".join(child.cmdline()):
            return child
    return None


def test_importing_the_extension_is_light(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.support.servers import python_env

    script = (
        "import sys, qpi_server; points = qpi_server._jupyter_server_extension_points(); "
        "heavy = {'sqlalchemy', 'alembic', 'numpy', 'qiskit', 'cryptography', 'httpx'} & set(sys.modules); "
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=python_env(), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

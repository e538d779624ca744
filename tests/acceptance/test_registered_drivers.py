"""What registering a driver shows is what starts it: a real server, and the very command line and unit that it gave."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.packages import TOY_LAB, installed
from tests.support.realworld import PATIENCE_S, Customer
from tests.support.servers import LabServer, lab_server, python_env
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

EXECUTOR = "tests.faults.executors:RecordingExecutor"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    arguments = ("--QPIServer.embedded_drivers=False", "--QPIServer.heartbeat_s=0.5")
    with lab_server(tmp_path_factory.mktemp("lab"), *arguments) as server:
        yield server


@pytest.fixture
def admin(server: LabServer) -> httpx.Client:
    return server.client()


def asked(client: httpx.Client, method: str, path: str, body: Any = None) -> Any:
    answer = client.request(method, f"qpi/v1/{path}", json=body)
    assert answer.is_success, answer.text
    return answer.json()


@contextmanager
def typed(command: str, folder: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """What an engineer gets who types ``command`` into a shell, with the environment of the driver activated."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    with (folder / "agent.log").open("ab") as log:
        shell = ["/bin/sh", "-c", f"exec {command}"]
        environment = python_env(PATH=path, HOME=str(folder), **env)
        process = subprocess.Popen(shell, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)


def said(folder: Path) -> str:
    return (folder / "agent.log").read_text()


def wait_for(admin: httpx.Client, qpu: str, status: str) -> None:
    wait_until(lambda: asked(admin, "GET", f"qpus/{qpu}")["status"] == status, PATIENCE_S, f"{qpu} {status}")


def test_a_devices_driver_starts_as_it_was_registered_and_ends_for_good_when_drained(
    admin: httpx.Client, server: LabServer, tmp_path: Path
) -> None:
    diary = tmp_path / "its diary, 100 %.jsonl"
    asked(admin, "POST", "qpus", {"name": "fridge", "kind": "device"})
    made = asked(admin, "POST", "drivers", {
        "name": "control-pc", "qpu": "fridge", "executor": EXECUTOR,
        "options": {"simulator": False, "seconds": 0.01, "diary": str(diary)},
    })  # fmt: skip
    customer = Customer(server.url)
    with typed(made["command"], tmp_path) as process:
        wait_for(admin, "fridge", "online")
        job = customer.finished(customer.submit("one", "fridge"))
        assert (job["status"], job["counts"]) == ("completed", [{"11": 10}])
        assert diary.exists()
        assert customer.finished(customer.submit("this one ERR", "fridge"))["status"] == "failed"
        asked(admin, "POST", "drivers/control-pc/drain")
        assert process.wait(PATIENCE_S) == 0

    # Its log, in the lab as on its machine, has a line for each job, and where the failed one failed.
    log = "\n".join(line["message"] for line in asked(admin, "GET", "qpus/fridge/drivers/control-pc/log")["lines"])
    for text in (said(tmp_path), log):
        assert re.search(rf"job {job['id']}, attempt 1: completed after \d+ ms", text)
        assert "attempt 1: failed" in text
        assert "Traceback (most recent call last):" in text
        assert 'raise ProgramError("The program ends with ERR."' in text
    assert log.count("attempt 1: ") == 2

    # A new token: the unit that is shown with it starts the same executor, with the server's own interpreter.
    unit = asked(admin, "POST", "drivers/control-pc/token")["unit"]
    settings = dict(line.split("=", 1) for line in unit.splitlines() if "=" in line and not line.startswith("#"))
    assert settings["Restart"] == "on-failure"
    words = [word.replace("%S", str(tmp_path)).replace("%%", "%") for word in shlex.split(settings["ExecStart"])]
    assert words[0] == sys.executable
    token = settings["Environment"].removeprefix("QPI_ACCESS_TOKEN=")
    before = diary.read_text()
    with typed(shlex.join(words), tmp_path, QPI_ACCESS_TOKEN=token):
        wait_for(admin, "fridge", "online")
        assert customer.finished(customer.submit("two", "fridge"))["status"] == "completed"
    assert len(diary.read_text()) > len(before)
    customer.close()


def test_a_simulator_answers_for_a_device_only_where_that_was_allowed(admin: httpx.Client, tmp_path: Path) -> None:
    asked(admin, "POST", "qpus", {"name": "chip", "kind": "device"})
    register = {"name": "chip-1", "qpu": "chip", "executor": EXECUTOR}
    made = asked(admin, "POST", "drivers", register)
    with typed(made["command"], tmp_path) as process:
        assert process.wait(PATIENCE_S) == 3  # no service manager starts it again
    assert "chip is a device, and recording is a simulator" in said(tmp_path)
    assert "--allow-simulator" in said(tmp_path)
    assert asked(admin, "GET", "qpus/chip")["status"] == "offline"
    allowed = asked(admin, "POST", "drivers", {**register, "name": "chip-2", "allow_simulator": True})
    with typed(allowed["command"], tmp_path):
        wait_for(admin, "chip", "online")


def test_a_driver_without_an_executor_says_which_there_are(admin: httpx.Client, tmp_path: Path) -> None:
    asked(admin, "POST", "qpus", {"name": "bare", "kind": "device"})
    made = asked(admin, "POST", "drivers", {"name": "bare-1", "qpu": "bare", "python": sys.executable})
    assert made["command"].startswith(f"{sys.executable} -m qpi_agent start ")
    with typed(made["command"], tmp_path) as process:
        assert process.wait(PATIENCE_S) == 2
    assert "There is no executor 'EXECUTOR'. Installed: custatevec, fake_backends, gpu, mock, " in said(tmp_path)


def test_a_simulator_whose_package_is_gone_says_so(tmp_path: Path) -> None:
    def simulator(admin: httpx.Client) -> Any:
        [one] = asked(admin, "GET", "simulators")["simulators"]
        return one

    with installed(TOY_LAB), lab_server(tmp_path) as server:
        asked(server.client(), "POST", "simulators", {"name": "coins", "executor": "toy_coins"})
        wait_until(lambda: simulator(server.client())["linked"], PATIENCE_S, "the simulator's start")
        assert simulator(server.client())["problem"] == ""
    with lab_server(tmp_path) as server:
        admin = server.client()
        wait_until(lambda: simulator(admin)["problem"], PATIENCE_S, "the simulator's end")
        assert (
            "There is no executor 'toy_coins'. Installed: custatevec, fake_backends, gpu, mock, "
            in simulator(admin)["problem"]
        )
        assert simulator(admin)["linked"] is False

"""The QPU of the Hub's lab, with a driver whose runs end when a test says so; and what people do with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.faults.executors import read_diary
from tests.support.hub import ADMIN, HubHost
from tests.support.servers import python_env
from tests.support.waiting import wait_until

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def ok(answer: httpx.Response) -> Any:
    """What a request that must be granted brought."""
    assert answer.is_success, f"{answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def code(answer: httpx.Response) -> tuple[int, str]:
    """How a request was refused."""
    return answer.status_code, answer.json()["error"]["code"]


@dataclass(slots=True, kw_only=True)
class Bench:
    """The QPU ``fridge`` and its driver."""

    gate: Path
    diary: Path

    def open(self) -> None:
        """Let every run end."""
        self.gate.touch()

    def hold(self) -> None:
        """Let no run end from now on."""
        self.gate.unlink(missing_ok=True)

    def runs(self) -> int:
        """How often a program was begun."""
        return len(read_diary(self.diary))


def submit(client: httpx.Client, name: str, **more: Any) -> str:
    """A job on the fridge; its id."""
    body = {"program": {"format": "openqasm3", "sources": [BELL]}, "qpu": "fridge", "options": {"shots": 10}}
    return str(ok(client.post("jobs", json={**body, "name": name, **more}))["id"])


def status(client: httpx.Client, job_id: str) -> str:
    return str(ok(client.get(f"jobs/{job_id}"))["status"])


def wait_running(client: httpx.Client, job_id: str) -> None:
    wait_until(lambda: status(client, job_id) == "running", what="the run")


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """A job once it has ended, whatever happens to the servers on the way."""

    def ask() -> dict[str, Any] | None:
        try:
            answer = client.get(f"jobs/{job_id}?wait_s=5")
        except httpx.TransportError:
            return None
        found = answer.json() if answer.status_code == 200 else {}
        return found if found.get("status") in ("completed", "failed", "cancelled") else None

    return wait_until(ask, what="the end of the job")


@contextmanager
def bench_of(host: HubHost) -> Iterator[Bench]:
    """A driver in a process of its own, which reaches the lab through the Hub's proxy."""
    bench = Bench(gate=host.folder / "gate", diary=host.folder / "diary.jsonl")
    admin = host.client(host.token(ADMIN))
    ok(admin.post("qpus", json={"name": "fridge", "kind": "device"}))
    options: dict[str, Any] = {"simulator": False, "gate": str(bench.gate), "diary": str(bench.diary)}
    executor = "tests.faults.executors:HeldExecutor"
    made = ok(admin.post("drivers", json={"name": "pc", "qpu": "fridge", "executor": executor, "options": options}))
    command = [
        sys.executable, "-m", "qpi_agent", "start", "--qpi-addr", f"{host.url}services/qpi/", "--executor", executor,
        "--name", "pc", "--data-dir", str(host.folder / "agent"),
        f"--option=gate={bench.gate}", f"--option=diary={bench.diary}", "--option=simulator=false",
    ]  # fmt: skip
    with (host.folder / "agent.log").open("wb") as log:
        environment = python_env(QPI_ACCESS_TOKEN=made["token"], HOME=str(host.folder))
        driver = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=host.folder)
    try:

        def online() -> bool:
            assert driver.poll() is None, (host.folder / "agent.log").read_text()
            return bool(ok(admin.get("qpus/fridge"))["status"] == "online")

        wait_until(online, what="the driver")
        yield bench
    finally:
        bench.open()
        driver.terminate()
        try:
            driver.wait(30)
        except subprocess.TimeoutExpired:
            driver.kill()
            driver.wait()
            raise

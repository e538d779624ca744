"""A lab of real processes on one job's trip: a server, its drivers and a customer, each of which a test may kill."""

from __future__ import annotations

import contextlib
import secrets
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.agent_process import AgentProcess

from .driver import register
from .realworld import MARK, PATIENCE_S, Customer, assert_gone, assert_whole, free_port, kill_marked
from .servers import LabServer, spawn_server

LEASE_S = 2.0
SETTINGS = ("--ServerApp.port_retries=0", "--QPIServer.embedded_drivers=False", "--QPIServer.heartbeat_s=0.5")


class Trip:
    """A server that can be killed and started again, its drivers, which meet it on a bus of ``buses``, and a customer.

    ``drivers_bus`` is how drivers say that bus, the first unless they are told another. The first server dies at
    ``trap``.
    """

    def __init__(self, folder: Path, *buses: str, lease_s: float = LEASE_S, trap: str = "", **env: str) -> None:
        self._settings = (*SETTINGS, f"--QPIServer.lease_s={lease_s}", *(f"--QPIServer.buses={bus}" for bus in buses))
        self.drivers_bus = next(iter(buses), "")
        self._env = env
        self._folder, self._mark, self.port = folder, secrets.token_hex(8), free_port()
        self.customer = Customer(f"http://127.0.0.1:{self.port}/")
        self._agents: list[AgentProcess] = []
        self._tokens: dict[str, str] = {}
        self.server = self.serve(QPI_FAULT_POINT=trap)

    def serve(self, **trap: str) -> LabServer:
        """Start the server, on the same port and data as before."""
        env = {MARK: f"{self._mark}/server", **self._env, **trap}
        self.server = spawn_server(self._folder / "server", *self._settings, port=self.port, **env)
        self.customer.call("GET", "health")
        return self.server

    def register(self, qpu: str, kind: str = "pool", *, driver: str = "") -> None:
        """Let there be ``qpu``, and a driver of it, with the same name unless it has another."""
        admin = self.server.client()
        self._tokens[driver or qpu] = register(admin, qpu, driver or qpu, kind=kind)
        admin.close()

    def drive(
        self, driver: str, *options: str, url: str | None = None, trap: str = "", executor: str = "RecordingExecutor",
        bus: str | None = None,
    ) -> AgentProcess:  # fmt: skip
        """Start a driver; its second process has the spool of the first."""
        folder = self._folder / driver
        folder.mkdir(exist_ok=True)
        env = {MARK: f"{self._mark}/driver", "QPI_ACCESS_TOKEN": self._tokens[driver], "QPI_FAULT_POINT": trap}
        bus = self.drivers_bus if bus is None else bus
        words = [word for option in options for word in ("-o", option)] + (["--bus", bus] if bus else [])
        agent = AgentProcess(folder, url or self.server.url, *words, executor=executor, env=env)
        self._agents.append(agent)
        return agent

    def until(self, job_id: str, phase: str) -> dict[str, Any]:
        """The job once it is in ``phase``."""
        job = self.customer.job(job_id)
        while job["phase"] != phase:
            assert job["ended_at"] is None, f"over before it was {phase}: {job}"
            newer = {"wait_s": 30.0, "version": job["version"]}
            job = self.customer.call("GET", f"v1/jobs/{job_id}", params=newer).json()
        return job

    def end_drivers(self) -> None:
        """The drivers are asked to go, and go, with all that they started."""
        for agent in self._agents:
            agent.send(signal.SIGTERM)
            agent.process.wait(PATIENCE_S)
        self._agents.clear()
        assert_gone(f"{self._mark}/driver")

    def end(self) -> None:
        """So is the server; nobody is left, and the data are whole."""
        self.end_drivers()
        self.customer.close()
        self.server.process.terminate()
        self.server.process.wait(PATIENCE_S)
        assert_gone(self._mark)
        assert_whole(self.server.lab_dir)

    def abandon(self) -> None:
        kill_marked(self._mark)


@contextlib.contextmanager
def going(folder: Path, *buses: str, lease_s: float = LEASE_S, trap: str = "", **env: str) -> Iterator[Trip]:
    there = Trip(folder, *buses, lease_s=lease_s, trap=trap, **env)
    try:
        yield there
        there.end()
    finally:
        there.abandon()

"""A whole lab of real processes on loopback ports that a test kills and starts again, and what it left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from .servers import TOKEN
from .waiting import PATIENCE_S, survivors

MARK = "QPI_TEST_MARK"
"""In the environment of every process that a test starts, and so of everything that those start."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def marked(mark: str) -> list[psutil.Process]:
    """Every living process whose mark begins with ``mark``."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.environ().get(MARK, "").startswith(mark) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def assert_gone(mark: str, timeout_s: float = 15.0) -> None:
    """No process with this mark is left, or is by then; what is left is killed and fails the test."""
    alive = survivors(marked(mark), timeout_s)
    for orphan in alive:
        orphan.kill()
    assert not alive, f"orphans of {mark}: {alive}"


class Mortal(threading.Thread):
    """Keeps one process of the lab running. Every life but the last ends by SIGKILL at a named point.

    Parameters
    ----------
    start
        starts the process with these variables in its environment.
    traps
        the points, each ``name:count``, in the order in which they are to be met.
    folder
        where the proofs are written.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[dict[str, str]], subprocess.Popen[bytes]],
        *,
        traps: Sequence[str],
        folder: Path,
        mark: str,
    ) -> None:
        super().__init__(name=name)
        self._start, self._traps, self._mark = start, traps, f"{mark}/{name}"
        self._log = folder / f"{name}.faults"
        self._news = threading.Condition()
        self._problem: BaseException | None = None
        self.deaths, self.lives = 0, len(traps) + 1
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def run(self) -> None:
        try:
            for life, trap in enumerate(self._traps):
                self._live(f"{self._mark}/{life}/", trap)
            self._set(self._start({MARK: f"{self._mark}/last/"}))
        except BaseException as problem:
            with self._news:
                self._problem = problem
                self._news.notify_all()

    def await_deaths(self, count: int) -> None:
        """Returns when the process has died ``count`` times, each time where it should."""
        with self._news:
            met = self._news.wait_for(lambda: self._problem is not None or self.deaths >= count, PATIENCE_S)
        if self._problem is not None:
            raise AssertionError(f"{self.name} failed") from self._problem
        assert met, f"{self.name} was not killed at {self._traps[self.deaths]} within {PATIENCE_S:g} s"

    def hits(self) -> list[str]:
        """The points at which it said that it dies, in order."""
        return self._log.read_text().split() if self._log.exists() else []

    def last(self) -> subprocess.Popen[bytes]:
        """The process of the last life, which nothing kills."""
        self.await_deaths(len(self._traps))
        self.join(PATIENCE_S)
        assert self.process is not None
        return self.process

    def _live(self, mark: str, trap: str) -> None:
        environment = {MARK: mark, "QPI_FAULT_POINT": trap, "QPI_FAULT_LOG": str(self._log)}
        process = self._start(environment)
        self._set(process)
        status = process.wait(2 * PATIENCE_S)
        assert status == -signal.SIGKILL, f"{self.name} ended with {status} before {trap}"
        assert self.hits() == [point.partition(":")[0] for point in self._traps[: self.deaths + 1]]
        assert_gone(mark)
        with self._news:
            self.deaths += 1
            self._news.notify_all()

    def _set(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process


class Customer:
    """A client that repeats what it got no answer to, as the lab's own does."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(
            base_url=f"{url}qpi/", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=70, trust_env=False
        )

    def close(self) -> None:
        self._client.close()

    def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """The lab's answer, whoever dies meanwhile."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = self._client.request(method, path, **arguments)
                if answer.status_code != 503:
                    return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path}: no answer within {PATIENCE_S:g} s")
            time.sleep(0.05)

    def submit(self, source: str, qpu: str, *, shots: int = 10, retry_safe: bool = False) -> str:
        """The job's id, once the lab said that it has the job; ``source`` is also the key."""
        body = {
            "program": {"format": "openqasm3", "sources": [source]}, "qpu": qpu, "name": source,
            "options": {"shots": shots}, "retry_safe": retry_safe,
        }  # fmt: skip
        answer = self.call("POST", "v1/jobs", json=body, headers={"Idempotency-Key": source})
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str, *, wait_s: float = 0.0) -> dict[str, Any]:
        """The job; with ``wait_s`` once it is final, or after that time."""
        answer = self.call("GET", f"v1/jobs/{job_id}", params={"wait_s": wait_s})
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def finished(self, job_id: str) -> dict[str, Any]:
        """The job when it is over."""
        deadline = time.monotonic() + PATIENCE_S
        while (job := self.job(job_id, wait_s=10))["ended_at"] is None:
            assert time.monotonic() < deadline, f"not over within {PATIENCE_S:g} s: {job}"
        return job

    def cancel(self, job_id: str) -> None:
        answer = self.call("POST", f"v1/jobs/{job_id}/cancel")
        assert answer.status_code == 200, answer.text

    def drivers(self) -> int:
        """How many drivers are linked to the lab now."""
        return len(self.call("GET", "health").json().get("drivers", []))


@contextlib.contextmanager
def reading(lab_dir: Path) -> Iterator[sqlite3.Connection]:
    """The lab's database, read beside whoever writes it; rows by name."""
    connection = sqlite3.connect(f"file:{lab_dir / 'lab.sqlite3'}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    try:
        yield connection
    finally:
        connection.close()


def assert_whole(lab_dir: Path) -> None:
    """SQLite finds nothing wrong with the database."""
    with reading(lab_dir) as db:
        assert [row[0] for row in db.execute("PRAGMA integrity_check")] == ["ok"]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def kill_marked(mark: str) -> None:
    """Whatever a failed test left behind."""
    for process in marked(mark):
        with contextlib.suppress(psutil.NoSuchProcess):
            os.kill(process.pid, signal.SIGKILL)

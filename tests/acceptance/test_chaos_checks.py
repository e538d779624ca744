"""Jobs that are checked while server, drivers and prepare children are killed at random: only programs are at fault."""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.faults.agent_process import AgentProcess
from tests.faults.executors import read_diary
from tests.support.books import Books
from tests.support.children import children_below
from tests.support.driver import register
from tests.support.realworld import (
    MARK,
    PATIENCE_S,
    Customer,
    assert_gone,
    assert_whole,
    free_port,
    kill_marked,
)
from tests.support.servers import lab_server, spawn_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

SETTINGS = ("--ServerApp.port_retries=0", "--QPIServer.embedded_drivers=False")
DRIVERS = ("sim-a", "sim-b")
CLIENTS, SEED = 8, 9
CHECK_S = 0.03
"""So long that kills meet checks."""
BAD_EVERY = 25
DRAIN_S = 240.0


@dataclass(frozen=True)
class Storm:
    """How many jobs, and what is killed meanwhile, each after a pause of so many seconds, from and to. A server or a
    driver has to be back before the next kill; a prepare child has not."""

    jobs: int
    kills: Iterable[str]
    pause: tuple[float, float]


def forever(rng: random.Random) -> Iterator[str]:
    yield from ("server", "driver")
    while True:
        yield rng.choices(["prepare", "driver", "server"], [10, 2, 1])[0]


SMALL = Storm(50, ["prepare", "prepare", "driver", "prepare", "prepare", "server", "prepare", "prepare"], (0.05, 0.3))
LARGE = Storm(2_000, forever(random.Random(SEED)), (0.5, 4.0))


class World:
    """A server and two drivers of one pool."""

    def __init__(self, folder: Path, mark: str) -> None:
        self._folder, self._mark = folder, mark
        self.lab_dir, self.diary = folder / "server" / "lab", folder / "diary.jsonl"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        where: dict[str, Any] = {"port": self._port, "lab_dir": self.lab_dir}
        with lab_server(folder / "server", *SETTINGS, **where) as server:
            admin = server.client()
            self._tokens = {name: register(admin, "sim", name, kind="pool") for name in DRIVERS}
        self._running = {name: self._start(name) for name in ("server", *DRIVERS)}

    def kill(self, name: str) -> None:
        """SIGKILL the server or a driver, and start it again."""
        process = self._running[name]
        process.kill()
        process.wait()
        self._running[name] = self._start(name)

    def kill_prepare_child(self, rng: random.Random) -> bool:
        """Whether there was one."""
        children = [child for name in DRIVERS for child in children_below(self._running[name].pid, "check")]
        if not children:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(rng.choice(children).pid, signal.SIGKILL)
        return True

    def end(self) -> None:
        """Everybody is asked to go, and goes."""
        for name in (*DRIVERS, "server"):
            self._running[name].send_signal(signal.SIGTERM)
            status = self._running[name].wait(PATIENCE_S)
            assert name == "server" or status == 0
        assert_gone(self._mark)

    def log(self) -> str:
        return "".join((self._folder / name / "agent.log").read_text() for name in DRIVERS)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        mark = {MARK: f"{self._mark}/{name}/"}
        folder = self._folder / name
        if name == "server":
            return spawn_server(folder, *SETTINGS, port=self._port, lab_dir=self.lab_dir, **mark).process
        folder.mkdir(exist_ok=True)
        options = ("--places", "2", "-o", f"check_s={CHECK_S}", "-o", "seconds=0.01", "-o", f"diary={self.diary}")
        env = {**mark, "QPI_ACCESS_TOKEN": self._tokens[name]}
        return AgentProcess(folder, self.url, *options, executor="RecordingExecutor", env=env).process


class Reaper(threading.Thread):
    """Kills until the storm is over, or it is told that this is enough."""

    def __init__(self, there: World, storm: Storm) -> None:
        super().__init__(name="reaper")
        self._there, self._storm, self._rng = there, storm, random.Random(SEED)
        self._enough = threading.Event()
        self._problem: BaseException | None = None
        self.kills: Counter[str] = Counter()
        self.start()

    def run(self) -> None:
        customer = Customer(self._there.url)
        try:
            for kind in self._storm.kills:
                if self._enough.wait(self._rng.uniform(*self._storm.pause)) and min(self._kinds()) > 0:
                    break
                self._kill(kind)
                if kind != "prepare":
                    wait_until(lambda: customer.drivers() == len(DRIVERS), PATIENCE_S, "the drivers' coming back")
        except BaseException as problem:
            self._problem = problem
        finally:
            customer.close()

    def end(self) -> None:
        """No more kills than it takes to have one of each kind; what was killed runs again."""
        self._enough.set()
        self.join()
        if self._problem is not None:
            raise AssertionError("the reaper failed") from self._problem

    def _kinds(self) -> list[int]:
        return [self.kills[kind] for kind in ("prepare", "driver", "server")]

    def _kill(self, kind: str) -> None:
        if kind == "prepare":
            wait_until(lambda: self._there.kill_prepare_child(self._rng), PATIENCE_S, "a prepare child's start")
        else:
            self._there.kill("server" if kind == "server" else self._rng.choice(DRIVERS))
        self.kills[kind] += 1


@contextlib.contextmanager
def world(folder: Path) -> Iterator[World]:
    mark = secrets.token_hex(8)
    try:
        yield World(folder, mark)
    finally:
        kill_marked(mark)


def submit_all(customer: Customer, count: int, rng: random.Random) -> tuple[dict[str, str], list[str]]:
    """The name of every job that was acknowledged, by id, and the names of those that were refused."""
    acknowledged: dict[str, str] = {}
    refused: list[str] = []

    def place(name: str) -> None:
        body = {"program": {"format": "openqasm3", "sources": [name]}, "qpu": "sim", "name": name,
                "options": {"shots": 10}}  # fmt: skip
        answer = customer.call("POST", "v1/jobs", json=body, headers={"Idempotency-Key": name})
        if answer.status_code in (200, 201):
            acknowledged[answer.json()["id"]] = name
        else:
            assert bad(name), answer.text
            assert "starts with BAD" in answer.text
            refused.append(name)

    names = [f"{'BAD' if n % BAD_EVERY == 0 else 'job'}-{rng.getrandbits(64):016x}" for n in range(count)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for placed in [pool.submit(place, name) for name in names]:
            placed.result()
    assert len(acknowledged) + len(refused) == count
    return acknowledged, refused


def finished(customer: Customer, job_id: str) -> dict[str, Any]:
    """The job when it is over: those before it have to be checked, by children that have to start."""
    deadline = time.monotonic() + DRAIN_S
    while (job := customer.job(job_id, wait_s=10))["ended_at"] is None:
        assert time.monotonic() < deadline, f"not over within {DRAIN_S:g} s: {job}"
    return job


def bad(name: str) -> bool:
    return name.startswith("BAD")


@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("storm", [SMALL, LARGE], ids=["small", "large"])
def test_whatever_is_killed_only_bad_programs_fail(tmp_path: Path, storm: Storm) -> None:
    rng = random.Random(SEED)
    with world(tmp_path) as there:
        customer = Customer(there.url)
        reaper = Reaper(there, storm)
        begin = time.monotonic()
        try:
            acknowledged, refused = submit_all(customer, storm.jobs, rng)
        finally:
            reaper.end()
        unchecked = sum(not customer.job(job_id)["checked"] for job_id in acknowledged)
        final = {job_id: finished(customer, job_id) for job_id in acknowledged}
        customer.close()
        there.end()

    statuses = Counter(job["status"] for job in final.values())
    books = Books(there.lab_dir)
    runs = Counter((line["job_id"], line["attempt"]) for line in read_diary(there.diary))
    met = there.log().count("was ended by SIGKILL")
    print(
        f"{storm.jobs} jobs in {time.monotonic() - begin:.0f} s; kills {dict(reaper.kills)}, {met} met a child's check "
        f"or start; {len(refused)} refused at submit; {unchecked} unchecked when the kills ended; {dict(statuses)}; "
        f"{len(runs)} runs in {len(books.attempts)} attempts"
    )
    failed = {job_id: job["error"] for job_id, job in final.items() if job["status"] != "completed"}
    assert {acknowledged[job_id] for job_id in failed} == {name for name in acknowledged.values() if bad(name)}
    assert {(error["kind"], error["code"]) for error in failed.values()} <= {("ProgramError", "bad_program")}
    assert_whole(there.lab_dir)
    books.check_each_job_ended_once(acknowledged)
    books.check_each_attempt_ran_once(runs)
    books.check_charges(runs)
    completed = {job_id for job_id, job in final.items() if job["status"] == "completed"}
    assert completed <= {job_id for job_id, _ in runs}
    assert min(reaper.kills.values()) >= 1

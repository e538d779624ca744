"""200 jobs, while server and drivers are killed at every named point: nothing is lost, nothing happens twice."""

from __future__ import annotations

import hashlib
import random
import secrets
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.jobs import MAX_TRIES
from qpi_jupyter.data.codec import decode
from qpi_jupyter.wire.faultpoint import DRIVER_POINTS, SERVER_POINTS
from tests.faults.agent_process import AgentProcess
from tests.faults.executors import read_diary
from tests.support.books import Books
from tests.support.driver import register
from tests.support.realworld import (
    MARK,
    PATIENCE_S,
    Customer,
    Mortal,
    assert_gone,
    assert_whole,
    free_port,
    kill_marked,
)
from tests.support.servers import LabServer, lab_server, spawn_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow

JOBS, CANCELLED_IN_A_WAVE, CLIENTS = 200, 3, 8
SEED = 20
SETTINGS = ("--ServerApp.port_retries=0", "--QPIServer.embedded_drivers=False")
DRIVERS = ("sim-mortal", "sim-steady", "hw-mortal")


@dataclass(frozen=True)
class Order:
    """What a customer wants."""

    source: str
    qpu: str
    retry_safe: bool
    cancelled: bool


class World:
    """One server, a pool with a driver that outlives everything and one that does not, and an instrument."""

    def __init__(self, folder: Path, mark: str, rng: random.Random) -> None:
        self.folder, self.mark = folder, mark
        self.lab_dir = folder / "server" / "lab"
        self.diary = folder / "diary.jsonl"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        self._tokens = self._register()
        # Far enough apart that the server dies about once a wave, and near enough that it dies in each.
        first, *middle, cancel = SERVER_POINTS
        server = [f"{first}:4", *(f"{point}:{rng.randint(12, 18)}" for point in middle), f"{cancel}:1"]
        driver = [f"{point}:{rng.randint(1, 2)}" for point in DRIVER_POINTS]
        self.server = self._mortal("server", lambda env: self._server(**env).process, server)
        # So slow that it leaves enough for the other, which has to meet its points.
        self.steady = self._agent("sim-steady", {MARK: f"{mark}/sim-steady/"}, "-o", "seconds=1.5")
        self.sim = self._mortal(
            "sim-mortal", lambda env: self._agent("sim-mortal", env, "-o", "seconds=0.02").process, driver
        )
        hardware = ("-o", "seconds=0.05", "-o", "simulator=false")
        self.hw = self._mortal(
            "hw-mortal", lambda env: self._agent("hw-mortal", env, *hardware).process, rng.sample(driver, len(driver))
        )
        self.mortals = (self.server, self.sim, self.hw)

    def end(self) -> None:
        """Everybody is asked to go, and goes."""
        for process in (self.sim.last(), self.hw.last(), self.steady.process):
            process.send_signal(signal.SIGTERM)
        for process in (self.sim.last(), self.hw.last(), self.steady.process):
            assert process.wait(PATIENCE_S) == 0
        self.server.last().send_signal(signal.SIGTERM)
        self.server.last().wait(PATIENCE_S)
        assert_gone(self.mark)

    def files(self, kind: str) -> list[str]:
        """The results that lie with the drivers: in the ``spool``, or in the ``archive`` of what nobody wanted."""
        return [path.name for name in DRIVERS for path in (self.folder / name / "data" / kind).iterdir()]

    def _server(self, **env: str) -> LabServer:
        return spawn_server(self.folder / "server", *SETTINGS, port=self.port, lab_dir=self.lab_dir, **env)

    def _agent(self, name: str, env: dict[str, str], *options: str) -> AgentProcess:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        env = {**env, "QPI_ACCESS_TOKEN": self._tokens[name]}
        diary = ("-o", f"diary={self.diary}")
        return AgentProcess(folder, self.url, *options, *diary, executor="RecordingExecutor", env=env)

    def _mortal(self, name: str, start: Any, traps: list[str]) -> Mortal:
        return Mortal(name, start, traps=traps, folder=self.folder, mark=self.mark)

    def _register(self) -> dict[str, str]:
        """The drivers' tokens, from a server that lives only for that."""
        with lab_server(self.folder / "server", *SETTINGS, port=self.port, lab_dir=self.lab_dir) as server:
            admin = server.client()
            return {name: register(admin, name[: name.index("-")], name, kind=_kind(name)) for name in DRIVERS}


def _kind(driver: str) -> str:
    return "device" if driver.startswith("hw") else "pool"


@contextmanager
def world(folder: Path, rng: random.Random) -> Iterator[World]:
    mark = secrets.token_hex(8)
    try:
        yield World(folder, mark, rng)
    finally:
        kill_marked(mark)


def orders(count: int, rng: random.Random) -> list[Order]:
    """One wave."""
    cancelled = set(rng.sample(range(count), CANCELLED_IN_A_WAVE))
    return [
        Order(
            source=f"chaos-{rng.getrandbits(64):016x}",
            qpu=("sim", "hw")[number % 2],
            retry_safe=number % 4 == 1,
            cancelled=number in cancelled,
        )
        for number in range(count)
    ]


def submit_waves(customer: Customer, there: World, rng: random.Random) -> dict[str, Order]:
    """All orders, a wave for each life of the server; by the id that it acknowledged."""
    acknowledged: dict[str, Order] = {}

    def place(order: Order, patience_s: float) -> None:
        job_id = customer.submit(order.source, order.qpu, retry_safe=order.retry_safe)
        acknowledged[job_id] = order
        if order.cancelled:
            customer.job(job_id, wait_s=patience_s)  # until then, unless it is over before
            customer.cancel(job_id)

    waves = len(SERVER_POINTS)
    with ThreadPoolExecutor(CLIENTS) as pool:
        for wave in range(waves):
            wait_until(lambda: customer.drivers() == len(DRIVERS), PATIENCE_S, "the drivers' coming back")
            placed = [
                pool.submit(place, order, rng.uniform(0.0, 1.0))
                for order in orders(JOBS // waves + (wave < JOBS % waves), rng)
            ]
            for future in placed:
                future.result(PATIENCE_S)
            for mortal in there.mortals:
                mortal.await_deaths(min(wave + 1, mortal.lives - 1))
    return acknowledged


def test_every_acknowledged_job_ends_once_whatever_dies(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    with world(tmp_path, rng) as there:
        customer = Customer(there.url)
        acknowledged = submit_waves(customer, there, rng)
        final = {job_id: customer.finished(job_id) for job_id in acknowledged}
        datasets = {job_id: _dataset(customer, job) for job_id, job in final.items() if job["status"] == "completed"}
        customer.close()
        hits = [point for mortal in there.mortals for point in mortal.hits()]
        assert there.steady.process.poll() is None
        there.end()
        assert there.files("spool") == []

    assert len(acknowledged) == JOBS
    assert set(hits) == {*SERVER_POINTS, *DRIVER_POINTS}
    assert len(hits) == len(SERVER_POINTS) + 2 * len(DRIVER_POINTS)
    assert all(datasets.values())
    assert_whole(there.lab_dir)
    books = Books(there.lab_dir)
    runs = Counter((line["job_id"], line["attempt"]) for line in read_diary(there.diary))
    books.check_each_job_ended_once({job_id: order.source for job_id, order in acknowledged.items()})
    books.check_each_attempt_ran_once(runs)
    books.check_charges(runs)
    books.check_nothing_wanted_was_put_aside(there.files("archive"))
    for job in final.values():
        check_end(job, acknowledged[job["id"]], books, runs)
    statuses = Counter(job["status"] for job in final.values())
    print(f"{len(hits)} kills; {dict(statuses)}; {len(runs)} runs in {len(books.attempts)} attempts")
    assert statuses["completed"] >= JOBS * 0.8


def _dataset(customer: Customer, job: dict[str, Any]) -> bool:
    """Whether the job's data can be read, are the announced ones and have all shots."""
    answer = customer.call("GET", f"v1/jobs/{job['id']}/dataset")
    assert answer.status_code == 200, answer.text
    assert hashlib.sha256(answer.content).hexdigest() == job["dataset"]["sha256"]
    return bool(int(decode(answer.content)["count"].sum()) == job["shots"])


def check_end(job: dict[str, Any], order: Order, books: Books, runs: Counter[tuple[str, int]]) -> None:
    """The end makes sense: a job fails only where an attempt was lost that may not be repeated."""
    if job["status"] == "completed":
        assert runs[job["id"], job["attempt"]] == 1
    elif job["status"] == "cancelled":
        assert order.cancelled
    else:
        assert job["status"] == "failed"
        assert job["error"]["code"] == "driver_lost"
        row, last = books.jobs[job["id"]], books.attempts[job["id"], job["attempt"]]
        lost_run = order.qpu == "hw" and not order.retry_safe and last["started_at"] is not None
        assert lost_run or row["tries"] == MAX_TRIES, dict(row)

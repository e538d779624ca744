"""Whatever happens to jobs that wait for one another, whenever the server is killed: each ends once; the sums agree."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sqlite3
from collections import Counter
from collections.abc import Coroutine
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from qpi_jupyter.core.errors import Conflict
from qpi_jupyter.core.jobs import JobState
from qpi_jupyter.wire.frames import Assignment, Held
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab, LabConfig
from qpi_server.store import schema
from qpi_server.store.presence import DATABASE
from tests.faults.lab import ADMIN, ANN, HARDWARE, SIMULATOR, FrozenClock, ScriptedDriver, bell, driver_of, turn
from tests.support.template import prepare

BUSY_S, LEASE_S = 4.0, 20.0
MANIFESTS = {"q1": SIMULATOR, "q2": HARDWARE}
LOST = {JobState.FAILED, JobState.CANCELLED}

QPUS, WHICH = st.sampled_from(sorted(MANIFESTS)), st.integers(0, 9)
NEEDED = st.lists(st.integers(0, 4), max_size=3)
STEPS = st.one_of(
    st.tuples(st.just("submit"), QPUS, NEEDED, NEEDED),
    st.tuples(st.just("claim"), QPUS, st.booleans()),
    st.tuples(st.just("end"), QPUS, st.sampled_from(["deliver", "deliver", "errored", "interrupted", "aborted"])),
    st.tuples(st.just("deliver_late"), WHICH),
    st.tuples(st.just("cancel"), WHICH),
    st.tuples(st.just("vanish"), QPUS, st.booleans()),
)
KILLED = st.tuples(st.just("killed"), STEPS, st.one_of(st.none(), st.integers(0, 12)), st.booleans())
"""A step in whose middle the server is killed: after so many turns of its loop, or right after its first commit; and
whether the drivers know afterwards what they hold."""

DIAMOND = [("submit", "q1", [], []), ("submit", "q2", [0], []), ("submit", "q1", [1], []), ("submit", "q2", [1, 0], [])]
"""Needed are the newest jobs, counted from 0."""
RUNNING = [*DIAMOND, ("claim", "q1", True)]


class Story:
    """One lab over its lives, and what was said in it so far."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.lives = folder, 0
        self.clock = FrozenClock()
        self.lab: Lab
        self.drivers: dict[str, ScriptedDriver] = {}
        self.jobs: list[str] = []
        self.open: dict[str, list[Assignment]] = {qpu: [] for qpu in MANIFESTS}
        """With the drivers, as they believe."""
        self.past: list[tuple[str, Assignment]] = []
        self.final: dict[str, Any] = {}

    async def begin(self) -> None:
        prepare(self._home)
        await self._open()
        for qpu, manifest in MANIFESTS.items():
            await self.lab.qpus.create(ADMIN, QpuIn(name=qpu, kind="pool" if manifest.simulator else "device"))
            self.drivers[qpu] = await driver_of(self.lab, qpu, f"d-{qpu}", manifest=manifest)
            await self.drivers[qpu].connect()

    @property
    def _home(self) -> Path:
        return self.folder / f"life{self.lives}"

    async def _open(self) -> None:
        self.lab = await Lab.open(LabConfig(lab_dir=self._home, reask_s=0.01), clock=self.clock)

    async def take(self, step: tuple[Any, ...]) -> None:
        kind, *rest = step
        if kind == "killed":
            await self._killed(*rest)
        else:
            await self._do(kind, rest)
        for _ in range(3):  # what it led to, and what that led to, is written
            await turn(8)
            await self.lab.context.db.store.write(lambda connection: None)

    def _do(self, kind: str, rest: list[Any]) -> Coroutine[Any, Any, None]:
        work: Coroutine[Any, Any, None] = getattr(self, f"_{kind}")(*rest)
        return work

    async def _submit(self, qpu: str, after: list[int], children: list[int]) -> None:
        named = [[self.jobs[-1 - n] for n in ns if n < len(self.jobs)] for ns in (after, children)]
        with contextlib.suppress(Conflict):  # one of them has no result, or has a parent
            job, _ = await self.lab.jobs.submit(ANN, bell(qpu, after=named[0], children=named[1]))
            self.jobs.append(job.id)

    async def _claim(self, qpu: str, start: bool) -> None:
        if not self.open[qpu] and (given := await self.drivers[qpu].claim()).job_id:
            self.open[qpu].append(given)
            if start:
                await self.drivers[qpu].started(given)

    async def _end(self, qpu: str, how: str) -> None:
        if not self.open[qpu]:
            return
        given = self.open[qpu].pop()
        self.past.append((qpu, given))
        if how == "deliver":
            await self.drivers[qpu].deliver(given, busy_s=BUSY_S)
        else:
            error = {"kind": "ProgramError", "code": "bad_program", "message": "no such gate", "data": {}}
            more = {"error": error} if how == "errored" else {}
            await self.drivers[qpu].report(given, how, busy_s=BUSY_S, **more)

    async def _deliver_late(self, which: int) -> None:
        if self.past:
            qpu, given = self.past[which % len(self.past)]
            await self.drivers[qpu].deliver(given, busy_s=BUSY_S)

    async def _cancel(self, which: int) -> None:
        if self.jobs:
            await self.lab.jobs.cancel(ANN, self.jobs[which % len(self.jobs)])

    async def _vanish(self, qpu: str, keeps: bool) -> None:
        """The driver is silent for longer than a lease, and comes back, perhaps without its jobs."""
        self.drivers[qpu].unplug()
        for _ in range(20):
            self.clock.advance(LEASE_S / 10)
            for other in self.drivers.keys() - {qpu}:
                await self.drivers[other].heartbeat(*self._held(other))
            await turn(4)
        await self._come_back(qpu, keeps)

    async def _come_back(self, qpu: str, keeps: bool) -> None:
        if not keeps:
            self.past += [(qpu, given) for given in self.open[qpu]]
            self.open[qpu].clear()
        await self.drivers[qpu].connect(self._held(qpu))

    def _held(self, qpu: str) -> list[Held]:
        return [Held(job_id=job.job_id, attempt=job.attempt) for job in self.open[qpu]]

    async def _killed(self, step: tuple[Any, ...], turns: int | None, keeps: bool) -> None:
        """The server dies while it does ``step``: what is committed by then is all that the next one finds."""
        kind, *rest = step
        with contextlib.closing(sqlite3.connect(self._home / DATABASE)) as watched:
            before_it = _version(watched)
            going = asyncio.ensure_future(self._do(kind, rest))
            if turns is not None:
                await turn(turns)
            while turns is None and not going.done() and _version(watched) == before_it:
                await asyncio.sleep(0)
        before, self.lives = self._home, self.lives + 1
        _committed(before, self._home)
        jobs = list(self.jobs)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        await self.lab.close()
        await self._open()
        known = {row.id for row in await self.rows(schema.jobs)}
        self.jobs = jobs + [job for job in known if job not in jobs]  # stored, and the answer was lost
        for qpu, driver in self.drivers.items():
            self.drivers[qpu] = ScriptedDriver(self.lab, driver.principal, manifest=driver.manifest)
            await self._come_back(qpu, keeps)

    async def rows(self, table: Any) -> list[Any]:
        return await self.lab.context.db.read(lambda connection: list(connection.execute(select(table))))

    async def check(self) -> None:
        """What must hold after every step, judged from the rows."""
        jobs = {row.id: row for row in await self.rows(schema.jobs)}
        states = {job: JobState(row.state) for job, row in jobs.items()}
        needs: dict[str, list[str]] = {job: [] for job in jobs}
        for edge in await self.rows(schema.dependencies):
            needs[edge.job_id].append(edge.needs)
        for job, row in jobs.items():
            needed, state = {states[other] for other in needs[job]}, states[job]
            if row.attempt or not (state.final or state is JobState.BLOCKED):
                assert needed <= {JobState.COMPLETED}, f"{job} is {state} before those that it needs"
            assert not needed & LOST or state in LOST, f"{job} is {state} and needs what has no result"
            assert state is not JobState.BLOCKED or needed - {JobState.COMPLETED}, f"{job} waits for nothing"
            if row.parent_id is not None and states[row.parent_id] in LOST:
                assert state.final or state is JobState.CANCELLING, f"{job} goes on without its parent"
            if state.final:
                ended = (state, row.version, row.error)
                assert self.final.setdefault(job, ended) == ended, f"{job} changed after its end"
        await self._check_sums(jobs, needs)

    async def _check_sums(self, jobs: dict[str, Any], needs: dict[str, list[str]]) -> None:
        lines = [line for line in await self.rows(schema.ledger) if line.job_id is not None]
        kinds = Counter((line.job_id, line.attempt, line.kind) for line in lines)
        assert max(kinds.values(), default=1) == 1, kinds
        costs = {job: -sum(line.amount_s for line in lines if line.job_id == job) for job in jobs}
        for job, row in jobs.items():
            if JobState(row.state).final:
                assert costs[job] == pytest.approx(row.busy_s or 0.0, abs=1e-9), f"{job} is not paid for what it used"
        for mine in _together(needs):
            family = await self.lab.jobs.family(ANN, min(mine))
            assert {other.id for other in family.jobs} == mine
            assert family.cost_s == pytest.approx(sum(costs[other] for other in mine), abs=1e-9)

    async def finish(self) -> None:
        """Everything that may run runs; every job has ended then, and was told to have ended once."""
        for _ in range(4 * len(self.jobs)):
            if all(JobState(row.state).final for row in await self.rows(schema.jobs)):
                break
            for qpu in MANIFESTS:
                await self.take(("claim", qpu, True))
                await self.take(("end", qpu, "deliver"))
        await self.check()
        assert {JobState(row.state).final for row in await self.rows(schema.jobs)} <= {True}
        events = [event for event in await self.rows(schema.events) if event.job_id is not None]
        ends = Counter(event.job_id for event in events if event.data["phase"] in ("completed", "failed", "cancelled"))
        assert ends == dict.fromkeys(self.jobs, 1)


def _together(needs: dict[str, list[str]]) -> list[set[str]]:
    """The jobs that hang together, each family once; a job alone is one, too."""
    found: list[set[str]] = []
    for job, needed in needs.items():
        mine = {job, *needed}.union(*(other for other in found if other & {job, *needed}))
        found = [other for other in found if not other & mine] + [mine]
    return found


def _version(connection: sqlite3.Connection) -> int:
    """Another one after each commit of somebody else."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _committed(source: Path, target: Path) -> None:
    """A lab's folder as the death of its server would leave it now."""
    target.mkdir()
    there = sqlite3.connect(f"file:{source / DATABASE}?mode=ro", uri=True)
    with contextlib.closing(there), contextlib.closing(sqlite3.connect(target / DATABASE)) as copy:
        there.backup(copy)
    for other in source.iterdir():
        if other.is_dir():
            shutil.copytree(other, target / other.name, ignore=shutil.ignore_patterns(".tmp-*"))


@settings(
    deadline=None,
    max_examples=settings().max_examples // 5,
    # A failing run is long to repeat: it is shown as it is.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(st.one_of(STEPS, STEPS, KILLED), min_size=10, max_size=30))
@example([*RUNNING, ("end", "q1", "deliver"), ("claim", "q2", True), ("cancel", 1), ("end", "q2", "deliver")])
@example([*RUNNING, ("end", "q1", "deliver"), ("claim", "q2", True), ("end", "q2", "deliver"), ("claim", "q2", True)])
@example([*RUNNING, ("end", "q1", "errored"), ("submit", "q2", [0], []), ("submit", "q1", [], [])])
@example([*DIAMOND, *DIAMOND, ("submit", "q1", [0, 4], []), ("claim", "q1", False), ("cancel", 8), ("cancel", 0)])
@example([*RUNNING, ("submit", "q2", [], [3, 2]), ("end", "q1", "interrupted"), ("cancel", 4), ("deliver_late", 0)])
@example([*RUNNING, ("killed", ("end", "q1", "deliver"), 3, True), ("claim", "q2", True), ("end", "q2", "deliver")])
@example([*RUNNING, ("killed", ("end", "q1", "errored"), None, False)])
@example([*RUNNING, ("killed", ("end", "q1", "deliver"), None, False), ("killed", ("claim", "q2", True), None, True)])
@example([*RUNNING, ("killed", ("cancel", 0), None, True), ("end", "q1", "aborted")])
@example([*RUNNING, ("killed", ("cancel", 0), 2, True), ("cancel", 0), ("end", "q1", "deliver")])
@example([*DIAMOND, ("submit", "q1", [], [0, 1]), ("killed", ("cancel", 4), 6, True)])
@pytest.mark.slow
def test_no_order_of_events_and_no_death_breaks_a_family(steps: list[tuple[Any, ...]]) -> None:
    async def tell() -> None:
        with TemporaryDirectory() as folder:
            story = Story(Path(folder))
            await story.begin()
            try:
                for step in steps:
                    await story.take(step)
                    await story.check()
                await story.finish()
            finally:
                await story.lab.close()

    asyncio.run(tell())

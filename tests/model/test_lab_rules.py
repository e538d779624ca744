"""A lab under random hands: submits, bookings, cancels, clock steps and drivers that come and go, in any order.

The service is the product's own, on a real database; only the clock and the drivers are scripted. After every step the
rules of the lab must hold, judged from the rows.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import Connection, select

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.core.jobs import JobState
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.wire.bookings import BookingIn
from qpi_jupyter.wire.frames import Assignment, Prepared
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.store import schema
from qpi_server.store.jobs import OPEN
from tests.faults.lab import ADMIN, FrozenClock, ScriptedDriver, bell, driver_of, open_lab, turn

PEOPLE = {name: Principal(name=name, roles=frozenset({Role.USER})) for name in ("ann", "bob", "cy")}
QPU = "q1"
T = TypeVar("T")


class Lab(RuleBasedStateMachine):
    """Two drivers of one pool, three people, and whatever they do."""

    jobs: Bundle[str] = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="qpi-rules-"))
        self.runner = asyncio.Runner()
        self.clock = FrozenClock()
        self.opened = open_lab(self.folder, clock=self.clock)
        self.drivers: list[ScriptedDriver] = []
        self.claims: dict[int, asyncio.Task[Assignment]] = {}
        self.held: dict[int, list[Assignment]] = defaultdict(list)
        self.uppers: dict[str, float] = {}
        self.names = itertools.count()
        self.given: list[str] = []

    def run(self, work: Awaitable[T]) -> T:
        async def whole() -> T:
            value = await work
            for _ in range(4):  # what it led to, and what that led to, is written
                await turn()
                await self.lab.context.db.store.write(lambda connection: None)
            await turn()
            return value

        return self.runner.run(whole())

    @initialize()
    def open(self) -> None:
        async def work() -> None:
            self.lab = await self.opened.__aenter__()
            await self.lab.qpus.create(ADMIN, QpuIn(name=QPU))
            for n in range(2):
                driver = await driver_of(self.lab, QPU, f"d{n}")
                driver.answer = lambda prepare: Prepared(estimate=self.estimate)
                self.drivers.append(driver)

        self.estimate = Estimate(estimate_s=1.0, upper_s=1.0, memory_bytes=1)
        self.run(work())

    # --- what people do -------------------------------------------------------------------------------------------

    @rule(target=jobs, who=st.sampled_from(sorted(PEOPLE)), upper_s=st.sampled_from([1.0, 20.0, 100.0, 500.0]),
          priority=st.sampled_from([0, 0, -1]))  # fmt: skip
    def submit(self, who: str, upper_s: float, priority: int) -> str:
        self.estimate = Estimate(estimate_s=upper_s / 2, upper_s=upper_s, memory_bytes=1)
        # a gate more each time: the same program is estimated once
        source = bell().program.sources[0].replace("h q[0];", "h q[0];" + f"rx({next(self.names)}) q[0];")
        job, _ = self.run(self.lab.jobs.submit(PEOPLE[who], bell(QPU, source=source, priority=priority)))
        self.uppers[job.id] = job.upper_s or 0.0
        self.settle()
        return job.id

    @rule(job=jobs)
    def cancel(self, job: str) -> None:
        owner = self.row(job).owner
        self.run(self.lab.jobs.cancel(PEOPLE[owner], job))
        self.settle()

    @rule(who=st.sampled_from(sorted(PEOPLE)), start=st.integers(0, 40), length=st.integers(1, 20),
          mode=st.sampled_from(["priority", "exclusive"]))  # fmt: skip
    def book(self, who: str, start: int, length: int, mode: str) -> None:
        now = self.clock.now()
        begins = now + timedelta(seconds=60 * start + 1)
        request = BookingIn(qpu=QPU, start_at=begins, end_at=begins + timedelta(seconds=60 * length), mode=mode)
        self.attempt(self.lab.bookings.create(PEOPLE[who], request))

    @rule(which=st.integers(0, 5))
    def release(self, which: int) -> None:
        rows = self.rows(select(schema.bookings).where(schema.bookings.c.status == "booked"))
        if rows:
            row = rows[which % len(rows)]
            self.attempt(self.lab.bookings.release(PEOPLE[row.booked_by], row.id))

    @rule(seconds=st.sampled_from([1.0, 5.0, 19.0, 61.0, 600.0]))
    def time_passes(self, seconds: float) -> None:
        async def work() -> None:
            left = seconds
            while left > 0:  # drivers that are there report every two seconds
                self.clock.advance(min(2.0, left))
                left -= 2.0
                for driver in self.drivers:
                    if driver.epoch:
                        await driver.heartbeat()
                await turn(3)

        self.run(work())
        self.settle()

    # --- what drivers do ------------------------------------------------------------------------------------------

    @rule(n=st.integers(0, 1))
    def connect(self, n: int) -> None:
        driver = self.drivers[n]
        if not driver.epoch:
            self.held[n] = []
            self.run(driver.connect())

    @rule(n=st.integers(0, 1))
    def vanish(self, n: int) -> None:
        driver = self.drivers[n]
        if driver.epoch:
            if (task := self.claims.pop(n, None)) is not None:
                task.cancel()
            driver.epoch = 0
            self.held[n] = []

            async def work() -> None:
                driver.unplug()
                await turn()

            self.run(work())

    @rule(n=st.integers(0, 1))
    def claim(self, n: int) -> None:
        driver = self.drivers[n]
        if driver.epoch and n not in self.claims and len(self.held[n]) < 2:

            async def work() -> None:
                self.claims[n] = asyncio.ensure_future(driver.claim())
                await turn()

            self.run(work())
            self.settle()

    @rule(n=st.integers(0, 1), good=st.booleans())
    def finish(self, n: int, good: bool) -> None:
        if not self.held[n]:
            return
        job, driver = self.held[n].pop(0), self.drivers[n]

        async def work() -> None:
            await driver.started(job)
            if good:
                await driver.deliver(job, busy_s=0.5)
                await driver.deliver(job, busy_s=0.5)  # again: nothing is charged twice
            else:
                await driver.report(job, "interrupted")

        self.attempt(work())
        self.settle()

    def settle(self) -> None:
        """Take what parked claims were answered with, and judge every new assignment."""
        self.run(turn())
        for n, task in list(self.claims.items()):
            if task.done():
                del self.claims[n]
                if not task.cancelled() and task.exception() is None and task.result().job_id:
                    self.held[n].append(task.result())
        self.judge()

    # --- what must hold -------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Every attempt that began just now went to somebody whose turn it was."""
        now = self.clock.now()
        began = self.rows(select(schema.attempts).where(schema.attempts.c.assigned_at == now))
        bookings = self.rows(select(schema.bookings).where(schema.bookings.c.created_at < now))
        for attempt in began:
            key = f"{attempt.job_id}/{attempt.attempt}"
            if key in self.given:
                continue
            self.given.append(key)
            job = self.row(attempt.job_id)
            for booking in bookings:
                foreign = job.owner != booking.booked_by
                if not foreign or booking.status != "booked" or booking.changed_at == now:
                    continue
                if booking.start_at <= now < booking.end_at:
                    assert booking.mode != "exclusive", f"{key} ran in somebody's exclusive booking"
                    waiting = self.rows(
                        select(schema.jobs).where(
                            schema.jobs.c.owner == booking.booked_by,
                            schema.jobs.c.state == JobState.QUEUED.value,
                            schema.jobs.c.submitted_at < now,
                        )
                    )
                    assert not waiting, f"{key} overtook the booker"
                    assert job.upper_s <= 30.0, f"{key} is too long for an idle booking"
                elif now < booking.start_at:
                    assert now + timedelta(seconds=job.upper_s) <= booking.start_at, f"{key} reaches into a booking"

    @invariant()
    def one_running_job_a_place(self) -> None:
        if not self.drivers:
            return
        running = Counter(
            row.driver for row in self.rows(select(schema.jobs).where(schema.jobs.c.state == JobState.RUNNING.value))
        )
        mine = select(schema.jobs).where(schema.jobs.c.state.in_([state.value for state in OPEN]))
        open_ = Counter(row.driver for row in self.rows(mine))
        assert all(count <= 1 for count in running.values()), running
        assert all(count <= 2 for count in open_.values()), open_

    @invariant()
    def the_ledger_adds_up(self) -> None:
        if not self.drivers:
            return
        lines = self.rows(select(schema.ledger))
        sums: dict[str, float] = defaultdict(float)
        kinds: Counter[Any] = Counter()
        for line in lines:
            sums[line.account] += line.amount_s
            kinds[line.job_id, line.attempt, line.kind] += 1
        assert all(count == 1 for count in kinds.values()), "charged twice"
        balances = {row.name: row.balance_s for row in self.rows(select(schema.accounts))}
        for account, total in sums.items():
            assert balances[account] == pytest.approx(total)
        ended = {row.id for row in self.rows(select(schema.jobs)) if JobState(row.state).final}
        for job in ended:
            charged = -sum(line.amount_s for line in lines if line.job_id == job)
            results = sum(1 for line in lines if line.job_id == job and line.kind == "settle")
            assert charged == pytest.approx(0.5 * results), f"{job} was charged {charged} s"

    def rows(self, query: Any) -> list[Any]:
        def read(connection: Connection) -> list[Any]:
            return list(connection.execute(query))

        return self.lab.context.db.store.glance(read)

    def row(self, job_id: str) -> Any:
        return self.rows(select(schema.jobs).where(schema.jobs.c.id == job_id))[0]

    def attempt(self, work: Awaitable[Any]) -> None:
        """Do it, or be refused with a clear error."""
        with contextlib.suppress(QpiError):
            self.run(work)
        self.settle()

    def teardown(self) -> None:
        async def work() -> None:
            for task in self.claims.values():
                task.cancel()
            await asyncio.gather(*self.claims.values(), return_exceptions=True)
            for driver in self.drivers:
                if driver.epoch:
                    driver.unplug()
            if self.drivers:
                await self.opened.__aexit__(None, None, None)

        self.runner.run(work())
        self.runner.close()
        shutil.rmtree(self.folder)


TestTheRulesHold = Lab.TestCase
TestTheRulesHold.settings = settings(
    max_examples=settings().max_examples * 3 // 5,
    stateful_step_count=40,
    deadline=None,
    # A failing run is long to repeat: it is shown as it is.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)

"""Whatever happens to jobs, in whatever order: balances are the sums of their lines, and nothing is charged twice."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Forbidden
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.wire.accounts import AccountChange, GrantIn
from qpi_jupyter.wire.frames import Assignment, Prepared
from qpi_server.service import Lab
from qpi_server.store.schema import accounts, groups, ledger
from tests.faults.lab import ANN, BELL, BOB, FrozenClock, ScriptedDriver, bell, small_lab, turn

BOSS = Principal(name="boss", roles=frozenset({Role.MANAGER}))
PEOPLE = [replace(who, groups=frozenset({"qed"})) for who in (ANN, BOB)]
ACCOUNTS = ["ann", "bob", "group:qed"]
BUSY_S, LEASE_S, PLACES = 4.0, 20.0, 2
EPSILON_S = 1e-6

STEPS = st.one_of(
    st.tuples(st.just("submit"), st.sampled_from(PEOPLE), st.sampled_from([None, "qed"]), st.sampled_from([0, 2, 9])),
    st.tuples(st.just("claim"), st.booleans()),
    st.tuples(st.just("vanish")),
    st.tuples(
        st.sampled_from(["deliver", "deliver_late", "interrupted", "released", "errored", "aborted"]),
        st.integers(0, 9),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("grant"), st.sampled_from(ACCOUNTS), st.sampled_from([-15.0, 5.0, 20.0])),
    st.tuples(st.just("limit"), st.sampled_from(ACCOUNTS), st.sampled_from([True, False, None])),
)

LOST = [("grant", "group:qed", 20.0), ("submit", PEOPLE[0], "qed", 2), ("claim", True), ("vanish",)]
"""A job that is given up while its driver still has it."""


@dataclass
class Story:
    """One lab, and what was said in it so far."""

    lab: Lab
    driver: ScriptedDriver
    clock: FrozenClock
    jobs: list[str] = field(default_factory=list)
    open: list[Assignment] = field(default_factory=list)
    """With the driver, as it believes."""
    started: list[Assignment] = field(default_factory=list)
    past: list[Assignment] = field(default_factory=list)

    async def submit(self, who: Principal, group: str | None, estimate_s: int) -> None:
        estimate = Estimate(estimate_s=float(estimate_s), upper_s=10.0)
        self.driver.answer = lambda prepare: Prepared(estimate=estimate)
        name = who.name if group is None else f"group:{group}"
        before = await self.lab.accounts.get(who, name)
        refused: Forbidden | None = None
        try:
            job, _ = await self.lab.jobs.submit(who, bell(group=group, source=f"{BELL} // {estimate_s}"))
            self.jobs.append(job.id)
        except Forbidden as error:
            refused = error
        if refused is not None:
            available_s = refused.data["available_s"]
            assert available_s == pytest.approx(before.available_s)
            assert available_s < refused.data["estimate_s"]
        elif before.limited:
            after = await self.lab.accounts.get(who, name)
            assert after.available_s is not None
            assert after.available_s >= -EPSILON_S

    async def claim(self, start: bool) -> None:
        if len(self.open) < PLACES and (given := await self.driver.claim()).job_id:
            self.open.append(given)
            if start:
                await self.driver.started(given)
                self.started.append(given)

    async def vanish(self) -> None:
        """The driver is silent for longer than a lease, and comes back without its jobs."""
        self.driver.unplug()
        self.clock.advance(2 * LEASE_S)
        await turn()
        await self.driver.connect()
        self.past += self.open
        self.open.clear()

    async def end(self, how: str, which: int) -> None:
        late = how == "deliver_late"
        pile = self.past if late else self.open
        if not pile:
            return
        given = pile[which % len(pile)]
        if how == "released" and given in self.started:
            return  # no driver gives back what it runs
        if not late:
            self.open.remove(given)
            self.past.append(given)
        if how.startswith("deliver"):
            await self.driver.deliver(given, busy_s=BUSY_S)
        elif how == "errored":
            error = {"kind": "ProgramError", "code": "bad_program", "message": "no such gate", "data": {}}
            await self.driver.report(given, "errored", error=error, busy_s=BUSY_S)
        else:
            await self.driver.report(given, how, busy_s=BUSY_S)

    async def take(self, step: tuple[Any, ...]) -> None:
        kind, *rest = step
        match kind:
            case "submit":
                await self.submit(*rest)
            case "claim":
                await self.claim(*rest)
            case "vanish":
                await self.vanish()
            case "cancel":
                if self.jobs:
                    await self.lab.jobs.cancel(BOSS, self.jobs[rest[0] % len(self.jobs)])
            case "grant":
                await self.lab.accounts.grant(BOSS, rest[0], GrantIn(seconds=rest[1]))
            case "limit":
                await self.lab.accounts.change(BOSS, rest[0], AccountChange(limited=rest[1]))
            case _:
                await self.end(kind, *rest)

    async def check(self) -> None:
        def read(connection: Any) -> tuple[list[Any], list[Any]]:
            return list(connection.execute(select(ledger))), list(connection.execute(select(accounts)))

        lines, rows = await self.lab.context.db.read(read)
        sums: dict[str, float] = defaultdict(float)
        attempts: dict[tuple[str, int], list[Any]] = defaultdict(list)
        for line in lines:
            sums[line.account] += line.amount_s
            if line.job_id is not None:
                attempts[line.job_id, line.attempt].append(line)
        assert {row.name: row.balance_s for row in rows} == pytest.approx({row.name: sums[row.name] for row in rows})
        held: dict[str, float] = defaultdict(float)
        for (job_id, attempt), found in attempts.items():
            kinds = Counter(line.kind for line in found)
            assert max(kinds.values()) == 1, (job_id, attempt, kinds)
            total = sum(line.amount_s for line in found)
            if kinds["settle"]:
                assert total == pytest.approx(-BUSY_S)
            elif kinds["refund"]:
                assert total == pytest.approx(0.0, abs=EPSILON_S)
            else:
                held[found[0].account] -= total
        assert {row.name: row.held_s for row in rows} == pytest.approx({r.name: held[r.name] for r in rows}, abs=1e-6)
        charged = Counter(line.job_id for line in lines if line.kind == "settle")
        assert max(charged.values(), default=0) <= 1


@settings(
    max_examples=settings().max_examples // 5,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(STEPS, min_size=10, max_size=40))
@example([*LOST, ("deliver_late", 0)])
@example([*LOST, ("claim", True), ("deliver_late", 0), ("deliver", 0)])
@example([*LOST, ("cancel", 0), ("deliver_late", 0)])
@example([*LOST, ("claim", False), ("released", 0), ("deliver_late", 0)])
def test_no_order_of_events_breaks_the_ledger(steps: list[tuple[Any, ...]]) -> None:
    async def tell() -> None:
        clock = FrozenClock()
        with TemporaryDirectory() as folder:
            options = {"clock": clock, "default_allowance_s": 20.0, "reask_s": 0.01, "driver": {"places": PLACES}}
            async with small_lab(Path(folder), **options) as (lab, driver):
                group = {"name": "qed", "created_at": clock.now()}
                await lab.context.db.store.write(lambda connection: connection.execute(insert(groups), group))
                for who in PEOPLE:
                    await lab.accounts.get(who, who.name)
                clock.advance(3 * LEASE_S)
                await driver.connect()
                story = Story(lab, driver, clock)
                for step in steps:
                    await story.take(step)
                    await story.check()
                for job_id in story.jobs:
                    await lab.jobs.cancel(BOSS, job_id)
                await story.vanish()
                await story.check()
                for name in ACCOUNTS:
                    assert (await lab.accounts.get(BOSS, name)).held_s == pytest.approx(0.0, abs=EPSILON_S)

    asyncio.run(tell())

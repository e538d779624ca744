"""QPU time in the service: allowances, grants, who pays, and what a submit may cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Forbidden, NotFound, QpiError, Rejected
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.wire.accounts import AccountChange, GrantIn
from qpi_jupyter.wire.events import AccountChanged, AccountData
from qpi_jupyter.wire.frames import Prepared
from qpi_server.service import Lab
from qpi_server.store import audit, facts
from qpi_server.store.schema import groups, jobs, ledger, memberships, users
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, ScriptedDriver, bell, open_lab, small_lab

BOSS = Principal(name="boss", roles=frozenset({Role.MANAGER}))
QED = replace(ANN, groups=frozenset({"qed"}))


def estimating(driver: ScriptedDriver, seconds: float) -> None:
    """Let the driver say that every program takes so long."""
    driver.answer = lambda prepare: Prepared(estimate=Estimate(estimate_s=seconds, upper_s=2 * seconds))


async def meet(lab: Lab, *people: str, group: str | None = None) -> None:
    """Let the lab know these people, as members of ``group``."""

    def unit(connection: Connection) -> None:
        at = lab.context.now()
        if group is not None:
            connection.execute(insert(groups), {"name": group, "created_at": at})
        for name in people:
            who = {"name": name, "roles": [], "source": "local", "source_roles": [], "created_at": at}
            connection.execute(insert(users), who)
            if group is not None:
                connection.execute(insert(memberships), {"person": name, "group": group, "source": "lab"})

    await lab.context.db.store.write(unit)


async def rows(lab: Lab, query: Any) -> list[Any]:
    return await lab.context.db.read(lambda connection: list(connection.execute(query)))


def test_without_an_allowance_nobodys_time_is_limited(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            estimating(driver, 100.0)
            await driver.connect()
            assert (await lab.accounts.get(ANN, "ann")).available_s is None
            await lab.jobs.submit(ANN, bell())
            waiting = await lab.accounts.get(ANN, "ann")
            assert (waiting.balance_s, waiting.held_s, waiting.used_s) == (-100.0, 100.0, 0.0)
            await driver.deliver(await driver.claim(), busy_s=4.0)
            done = await lab.accounts.get(ANN, "ann")
            assert (done.balance_s, done.held_s, done.used_s, done.limited) == (-4.0, 0.0, 4.0, False)

    asyncio.run(dialogue())


def test_an_allowance_is_granted_once_whoever_comes_first(tmp_path: Path) -> None:
    settings = {"default_allowance_s": 60.0, "clock": FrozenClock()}

    async def first() -> None:
        async with small_lab(tmp_path, **settings) as (lab, driver):
            await driver.connect()
            work: list[Any] = [lab.jobs.submit(ANN, bell()) for _ in range(5)]
            work += [lab.accounts.get(ANN, "ann") for _ in range(5)]
            await asyncio.gather(*work)
            assert len(await rows(lab, select(ledger).where(ledger.c.kind == "grant"))) == 1
            [told] = [e for e in (await lab.events.page(ANN)).events if e.kind == "balance.changed"]
            assert told.data.amount_s == 60.0

    async def again() -> None:
        async with open_lab(tmp_path, **settings) as lab:
            assert (await lab.accounts.get(ANN, "ann")).balance_s == pytest.approx(60.0 - 5 * 0.01)
            assert len(await rows(lab, select(ledger).where(ledger.c.kind == "grant"))) == 1

    asyncio.run(first())
    asyncio.run(again())


def test_an_allowance_that_comes_later_reaches_accounts_that_are_there(tmp_path: Path) -> None:
    async def before() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            await driver.deliver(await driver.claim(), busy_s=4.0)

    async def after() -> None:
        async with open_lab(tmp_path, default_allowance_s=60.0) as lab:
            assert (await lab.accounts.get(ANN, "ann")).available_s == 56.0

    asyncio.run(before())
    asyncio.run(after())


def test_a_job_that_costs_more_than_is_left_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, default_allowance_s=25.0) as (lab, driver):
            estimating(driver, 10.0)
            await driver.connect()
            for _ in range(2):
                await lab.jobs.submit(ANN, bell())
            with pytest.raises(Forbidden, match=r"about 10 s .* 5 s left") as caught:
                await lab.jobs.submit(ANN, bell(), idempotency_key="k")
            assert caught.value.code == "insufficient_qpu_time"
            assert caught.value.data == {"estimate_s": 10.0, "available_s": 5.0, "account": "ann"}
            assert len(await rows(lab, select(jobs))) == 2
            account = await lab.accounts.get(ANN, "ann")
            assert (account.balance_s, account.held_s, account.available_s) == (5.0, 20.0, 5.0)
            assert lab.metrics.get_sample_value("qpi_jobs_refused_total", {"code": "insufficient_qpu_time"}) == 1
            # What comes back from a waiting job can be used at once; the key is not used up.
            await lab.jobs.cancel(ANN, (await lab.jobs.list(ANN)).jobs[0].id)
            assert (await lab.jobs.submit(ANN, bell(), idempotency_key="k"))[1]

    asyncio.run(dialogue())


def test_of_submits_at_once_only_those_pass_that_the_account_can_bear(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, default_allowance_s=35.0) as (lab, driver):
            estimating(driver, 10.0)
            await driver.connect()
            work = [lab.jobs.submit(ANN, bell()) for _ in range(12)]
            answers = await asyncio.gather(*work, return_exceptions=True)
            assert sum(isinstance(answer, tuple) for answer in answers) == 3
            assert {type(answer) for answer in answers} == {tuple, Forbidden}
            assert (await lab.accounts.get(ANN, "ann")).available_s == 5.0

    asyncio.run(dialogue())


def test_an_account_may_differ_from_the_labs_rule(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await meet(lab, "ann")
            await driver.connect()
            assert (await lab.accounts.change(BOSS, "ann", AccountChange(limited=True))).available_s == 0.0
            with pytest.raises(Forbidden, match="QPU time"):
                await lab.jobs.submit(ANN, bell())
            await lab.jobs.submit(BOB, bell())
            assert not (await lab.accounts.change(BOSS, "ann", AccountChange(limited=None))).limited
            await lab.jobs.submit(ANN, bell())

    asyncio.run(dialogue())


def test_a_repeat_is_not_refused_for_lack_of_time(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, default_allowance_s=10.0) as (lab, driver):
            estimating(driver, 10.0)
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await meet(lab, "ann")
            await lab.accounts.grant(BOSS, "ann", GrantIn(seconds=-8.0))
            assert await driver.report(given, "interrupted")
            again = await driver.claim()
            assert again.attempt == 2
            await driver.deliver(again, busy_s=4.0)
            assert (await lab.jobs.get(ANN, job.id)).status == "completed"
            assert (await lab.accounts.get(ANN, "ann")).balance_s == -2.0
            with pytest.raises(Forbidden):
                await lab.jobs.submit(ANN, bell())

    asyncio.run(dialogue())


def test_a_group_pays_for_a_member(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await meet(lab, "ann", "bob", group="qed")
            estimating(driver, 2.0)
            await driver.connect()
            with pytest.raises(Forbidden, match="not in it") as caught:
                await lab.jobs.submit(BOB, bell(group="qed"))
            assert (caught.value.data["field"], caught.value.data["groups"]) == ("group", [])
            job, _ = await lab.jobs.submit(QED, bell(group="qed"))
            assert job.account == "group:qed"
            await driver.report(await driver.claim(), "interrupted")
            await driver.deliver(await driver.claim(), busy_s=1.5)
            assert (await lab.accounts.get(QED, "group:qed")).used_s == 1.5
            assert (await lab.accounts.get(QED, "ann")).balance_s == 0.0
            entries = (await lab.accounts.entries(QED, "group:qed")).entries
            assert [(e.kind, e.attempt, e.person, e.amount_s) for e in reversed(entries)] == [
                ("hold", 1, "ann", -2.0),
                ("refund", 1, "ann", 2.0),
                ("hold", 2, "ann", -2.0),
                ("settle", 2, "ann", 0.5),
            ]
            [line] = (await lab.accounts.statement(QED)).lines
            assert (line.account, line.person, line.qpu, line.jobs) == ("group:qed", "ann", "q1", 1)
            assert (line.used_s, line.refunded_s) == (1.5, 2.0)

    asyncio.run(dialogue())


def test_a_jobs_events_tell_what_it_cost_and_who_had_it(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            estimating(driver, 2.0)
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await driver.report(given, "interrupted")
            await driver.deliver(await driver.claim(), busy_s=1.5)
            events = (await lab.events.of_job(ANN, job.id)).events
            told = [
                (e.data.attempt, e.data.driver or None, [(x.kind, x.amount_s) for x in e.data.ledger])
                for e in events
                if e.data.ledger
            ]
            first, *_, last = told
            assert first == (0, None, [("hold", -2.0)])
            assert [lines for _, _, lines in told[1:]] == [[("refund", 2.0), ("hold", -2.0)], [("settle", 0.5)]]
            assert (last[0], last[1]) == (2, driver.principal.name)
            assert all(x.account == "ann" for e in events for x in e.data.ledger or [])

    asyncio.run(dialogue())


def test_grants_are_managers_and_leave_their_trace(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, _):
            await meet(lab, "ann", "bob", group="qed")
            await lab.accounts.grant(BOSS, "ann", GrantIn(seconds=30.0, reason="thesis"))
            assert (await lab.accounts.grant(BOSS, "ann", GrantIn(seconds=-10.0))).balance_s == 20.0
            assert (await lab.accounts.set_balance(BOSS, "ann", 5.0, "trim")).balance_s == 5.0
            assert (await lab.accounts.set_balance(BOSS, "ann", 5.0)).balance_s == 5.0
            await lab.accounts.grant(BOSS, "group:qed", GrantIn(seconds=100.0))
            entries = (await lab.accounts.entries(ANN, "ann")).entries
            assert [(e.amount_s, e.person, e.reason) for e in entries] == [
                (-15.0, "boss", "trim"),
                (-10.0, "boss", ""),
                (30.0, "boss", "thesis"),
            ]
            log = await lab.context.db.read(lambda c: audit.page(c, before=None, limit=10))
            deeds = [(line.action, line.subject) for line in reversed(log) if line.action.startswith("account.")]
            assert deeds == [
                ("account.grant", "account:ann"),
                ("account.grant", "account:ann"),
                ("account.set_balance", "account:ann"),
                ("account.set_balance", "account:ann"),
                ("account.grant", "account:group:qed"),
            ]
            for who, accounts in ((ANN, ["ann", "ann", "ann", "group:qed"]), (BOB, ["group:qed"])):
                events = (await lab.events.page(who)).events
                told = [e.data.account for e in events if e.kind == "balance.changed"]
                assert told == accounts
            assert [a.name for a in (await lab.accounts.list(BOSS, limit=1)).accounts] == ["ann"]
            assert [a.name for a in (await lab.accounts.list(BOSS, after="ann")).accounts] == ["group:qed"]

    asyncio.run(dialogue())


def test_whose_account_is_limited_is_told(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            await meet(lab, "ann", "bob", group="qed")
            await lab.accounts.change(BOSS, "ann", AccountChange(limited=True))
            await lab.accounts.change(BOSS, "group:qed", AccountChange(limited=None))
            mine = AccountData(account="ann", limited=True, by="boss")
            common = AccountData(account="group:qed", limited=None, by="boss")
            for who, told in ((ANN, [mine, common]), (BOB, [common])):
                events = (await lab.events.page(who)).events
                assert [event.data for event in events if isinstance(event, AccountChanged)] == told

    asyncio.run(dialogue())


CHANGES: list[Callable[[Lab, Principal, str], Any]] = [
    lambda lab, who, name: lab.accounts.grant(who, name, GrantIn(seconds=1.0)),
    lambda lab, who, name: lab.accounts.set_balance(who, name, 1e6),
    lambda lab, who, name: lab.accounts.change(who, name, AccountChange(limited=False)),
]


@pytest.mark.parametrize("change", CHANGES)
def test_nobody_raises_their_own_balance(tmp_path: Path, change: Callable[[Lab, Principal, str], Any]) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path, default_allowance_s=10.0) as lab:
            await meet(lab, "ann", "boss", "root", group="qed")
            for who, name in ((ANN, "ann"), (QED, "group:qed"), (ANN, "bob"), (BOSS, "boss")):
                with pytest.raises(Forbidden):
                    await change(lab, who, name)
            with pytest.raises(NotFound):
                await change(lab, BOSS, "nobody")
            for who, name in ((BOSS, "ann"), (BOSS, "group:qed"), (ADMIN, "root")):
                await change(lab, who, name)

    asyncio.run(dialogue())


def test_other_peoples_accounts_are_not_there(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await meet(lab, "ann", group="qed")
            await driver.connect()
            await lab.jobs.submit(QED, bell(group="qed"))
            await driver.deliver(await driver.claim(), busy_s=1.0)
            for name in ("ann", "group:qed", "nobody"):
                for work in (
                    lab.accounts.get(BOB, name),
                    lab.accounts.entries(BOB, name),
                    lab.accounts.statement(BOB, account=name),
                ):
                    with pytest.raises(NotFound):
                        await work
            with pytest.raises(NotFound):
                await lab.accounts.get(BOSS, "nobody")
            with pytest.raises(Forbidden):
                await lab.accounts.list(BOB)
            assert (await lab.accounts.statement(BOB)).lines == []
            assert (await lab.accounts.statement(BOB, person="ann")).lines == []
            # What one used oneself stays visible after leaving the group that paid.
            assert len((await lab.accounts.statement(ANN)).lines) == 1
            assert len((await lab.accounts.statement(BOSS)).lines) == 1

    asyncio.run(dialogue())


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (lambda lab: lab.accounts.grant(BOSS, "ann", GrantIn(seconds=0.0)), "seconds"),
        (lambda lab: lab.accounts.grant(BOSS, "ann", GrantIn(seconds=float("nan"))), "seconds"),
        (lambda lab: lab.accounts.set_balance(BOSS, "ann", -1.0), "seconds"),
        (lambda lab: lab.accounts.set_balance(BOSS, "ann", float("inf")), "seconds"),
        (lambda lab: lab.accounts.entries(ANN, "ann", after="x' OR 1=1"), "after"),
        (lambda lab: lab.accounts.statement(ANN, month="2030-13"), "month"),
        (lambda lab: lab.accounts.statement(ANN, month="9999-12"), "month"),
        (lambda lab: lab.accounts.statement(ANN, month="0000-01"), "month"),
    ],
)
def test_bad_input_names_its_field(tmp_path: Path, ask: Callable[[Lab], Any], field: str) -> None:
    async def dialogue() -> QpiError:
        async with open_lab(tmp_path) as lab:
            with pytest.raises(Rejected) as caught:
                await ask(lab)
            return caught.value

    assert asyncio.run(dialogue()).data["field"] == field


def test_the_balance_is_the_sum_of_the_lines(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, default_allowance_s=10.0) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            await driver.deliver(await driver.claim(), busy_s=3.0)
            total = await lab.context.db.read(lambda c: facts.balance(c, "ann"))
            assert (await lab.accounts.get(ANN, "ann")).balance_s == pytest.approx(total)

    asyncio.run(dialogue())

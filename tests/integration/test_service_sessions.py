"""Sessions: who gets one, whom it keeps out, when it ends, what it costs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound
from qpi_jupyter.wire.bookings import SessionIn
from qpi_jupyter.wire.events import SessionData
from qpi_jupyter.wire.rest import QpuChange, QpuSession
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, ScriptedDriver, bell, open_lab, settled, small_lab
from tests.support.rules import book, moment, rows

MANAGER = Principal(name="mia", roles=frozenset({Role.MANAGER}))
PATIENT: dict[str, Any] = {"reask_s": 1e6, "lease_s": 1e6}
Dialogue = Callable[[Lab, ScriptedDriver, FrozenClock], Awaitable[None]]


def with_lab(folder: Path, dialogue: Dialogue) -> None:
    async def run() -> None:
        clock = FrozenClock()
        async with small_lab(folder, clock=clock, **PATIENT) as (lab, driver):
            await driver.connect()
            await dialogue(lab, driver, clock)

    asyncio.run(run())


async def ended(lab: Lab) -> dict[str, Any] | None:
    """The only session's row, once it is over."""
    await settled(lab)
    (row,) = await rows(lab, "qpu_sessions")
    return row if row["closed_at"] is not None else None


async def charges(lab: Lab) -> list[tuple[str, float]]:
    return [(row["kind"], row["amount_s"]) for row in await rows(lab, "ledger") if row["job_id"].startswith("ses-")]


def asked(**fields: Any) -> SessionIn:
    return SessionIn(**{"qpu": "q1", "budget_s": 100.0, "idle_s": 30.0, **fields})


def test_a_session_keeps_others_out_and_lets_its_holder_run_at_once(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        session = await lab.qpu_sessions.open(ANN, asked())
        theirs, _ = await lab.jobs.submit(BOB, bell())
        assert theirs.reason is not None
        assert theirs.reason.rule == "session"
        mine, _ = await lab.jobs.submit(ANN, bell())
        assert (await driver.run()).job_id == mine.id
        claim = asyncio.create_task(driver.claim())
        await settled(lab)
        assert not claim.done()
        await lab.qpu_sessions.close(ANN, session.id)
        assert (await claim).job_id == theirs.id

    with_lab(tmp_path, dialogue)


def test_what_was_held_is_charged_once_beside_the_jobs(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        session = await lab.qpu_sessions.open(ANN, asked())
        assert await charges(lab) == [("hold", -100.0)]
        await lab.jobs.submit(ANN, bell())
        clock.advance(10)
        await driver.run()  # measured: 0.25 s, charged as a job
        closed = await lab.qpu_sessions.close(ANN, session.id)
        assert (closed.held_s, closed.busy_s) == (10.0, 0.25)
        again = await lab.qpu_sessions.close(ANN, session.id)
        assert again == closed
        assert await charges(lab) == [("hold", -100.0), ("settle", 100.0 - 9.75)]

    with_lab(tmp_path, dialogue)


def test_a_session_ends_when_nobody_renews_it(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        session = await lab.qpu_sessions.open(ANN, asked())
        clock.advance(20)
        renewed = await lab.qpu_sessions.renew(ANN, session.id)
        assert renewed.expires_at == moment(lab) + timedelta(seconds=30)
        clock.advance(29)
        assert await ended(lab) is None
        clock.advance(1)
        row = await ended(lab)
        assert row is not None
        assert (row["reason"], row["held_s"]) == ("It was not renewed.", 50.0)
        with pytest.raises(Conflict, match="It was not renewed"):
            await lab.qpu_sessions.renew(ANN, session.id)

    with_lab(tmp_path, dialogue)


def test_a_session_ends_with_its_budget_however_often_it_is_renewed(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        session = await lab.qpu_sessions.open(ANN, asked())
        for _ in range(4):
            clock.advance(24)
            await lab.qpu_sessions.renew(ANN, session.id)
        clock.advance(4)
        row = await ended(lab)
        assert row is not None
        assert row["reason"] == "Its budget is used up."
        assert await charges(lab) == [("hold", -100.0), ("settle", 0.0)]

    with_lab(tmp_path, dialogue)


def test_within_ones_booking_a_session_is_free_and_ends_with_it(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        await book(lab, "ann", -10, 20, mode="priority", no_show_s=600.0)
        session = await lab.qpu_sessions.open(ANN, asked(budget_s=1.0))
        assert session.expires_at == moment(lab) + timedelta(seconds=20)
        (booking,) = await rows(lab, "bookings")
        assert (session.booking_id, booking["used_at"]) == (booking["id"], moment(lab))
        clock.advance(20)
        row = await ended(lab)
        assert row is not None
        assert row["reason"] == "Its booking ended."
        assert await charges(lab) == []

    with_lab(tmp_path, dialogue)


def test_a_session_ends_with_a_booking_that_was_made_later(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        await lab.qpu_sessions.open(ANN, asked())
        await book(lab, "bob", 10, 60)
        clock.advance(10)
        row = await ended(lab)
        assert row is not None
        assert row["reason"] == "Somebody else's booking began."

    with_lab(tmp_path, dialogue)


def test_a_session_ends_when_its_qpu_is_switched_off(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        await lab.qpu_sessions.open(ANN, asked())
        await lab.qpus.change(MANAGER, "q1", QpuChange(enabled=False))
        row = await ended(lab)
        assert row is not None
        assert row["reason"] == "q1 was closed."

    with_lab(tmp_path, dialogue)


@pytest.mark.parametrize(
    ("start_s", "end_s", "by", "code"),
    [(-10, 50, "bob", "booked"), (60, 90, "bob", "booked_soon"), (100, 200, "bob", None), (60, 90, "ann", None)],
)
def test_a_session_needs_a_time_that_is_nobody_elses(
    tmp_path: Path, start_s: float, end_s: float, by: str, code: str | None
) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        await book(lab, by, start_s, end_s)
        if code is None:
            assert (await lab.qpu_sessions.open(ANN, asked())).holder == "ann"
            return
        with pytest.raises(Conflict, match="00:0") as caught:
            await lab.qpu_sessions.open(ANN, asked())
        assert caught.value.code == code
        assert "until" in caught.value.data
        assert await charges(lab) == []

    with_lab(tmp_path, dialogue)


def test_one_session_a_qpu_and_only_ones_own(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        session = await lab.qpu_sessions.open(ANN, asked())
        with pytest.raises(Conflict, match="ann holds a session"):
            await lab.qpu_sessions.open(BOB, asked())
        with pytest.raises(
            Conflict, match=r"You already hold a session on .* lab\.sessions\(\)\[0\]\.close\(\)"
        ) as caught:
            await lab.qpu_sessions.open(ANN, asked())
        assert caught.value.data["session_id"] == session.id
        assert [s.mine for who in (ANN, BOB) for s in (await lab.qpu_sessions.list(who)).sessions] == [True, False]
        for meddle in (lab.qpu_sessions.renew, lab.qpu_sessions.close):
            with pytest.raises(NotFound):
                await meddle(BOB, session.id)
        with pytest.raises(Forbidden):
            await lab.qpu_sessions.open(BOB, asked(group="not-his"))
        assert [s.id for s in (await lab.qpu_sessions.list(BOB)).sessions] == [session.id]
        assert (await lab.qpu_sessions.close(MANAGER, session.id)).reason == "mia closed it."
        assert (await lab.qpu_sessions.list(BOB)).sessions == []
        assert (await lab.qpu_sessions.open(BOB, asked())).holder == "bob"

    with_lab(tmp_path, dialogue)


def test_a_qpu_that_takes_no_jobs_takes_no_sessions(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        driver.unplug()
        await settled(lab)
        with pytest.raises(Conflict) as caught:
            await lab.qpu_sessions.open(ANN, asked())
        assert caught.value.code == "qpu_closed"

    with_lab(tmp_path, dialogue)


def test_a_session_outlives_a_restart_of_the_lab(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            await driver.connect()
            session = await lab.qpu_sessions.open(ANN, asked())
        clock.advance(50)  # nobody could renew it
        async with open_lab(tmp_path, clock=clock, **PATIENT) as lab:
            clock.advance(20)
            renewed = await lab.qpu_sessions.renew(ANN, session.id)
            assert renewed.expires_at == moment(lab) + timedelta(seconds=30)
            with pytest.raises(Conflict):
                await lab.qpu_sessions.open(ADMIN, asked())
            clock.advance(30)
            row = await ended(lab)
            assert row is not None
            assert row["held_s"] == 100.0

    asyncio.run(dialogue())


def test_a_qpu_says_who_holds_it_and_until_when_at_the_latest(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        at = moment(lab)
        await lab.qpu_sessions.open(ANN, asked())
        [seen] = (await lab.qpus.list(BOB)).qpus
        assert seen.session == QpuSession(holder="ann", mine=False, opened_at=at, until=at + timedelta(seconds=100))
        own = (await lab.qpus.get(ANN, "q1")).session
        assert own is not None
        assert own.mine
        clock.advance(30)  # nobody renews it
        await ended(lab)
        assert (await lab.qpus.get(BOB, "q1")).session is None

        booked = await book(lab, "bob", 10, 400)
        clock.advance(20)
        await lab.qpu_sessions.open(BOB, asked(budget_s=10.0))
        inside = (await lab.qpus.get(ANN, "q1")).session
        assert inside is not None
        assert (inside.holder, inside.until) == ("bob", (await lab.bookings.get(BOB, booked)).end_at)

    with_lab(tmp_path, dialogue)


def test_where_bookings_are_private_so_are_sessions(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, public_bookings=False, **PATIENT) as (lab, driver):
            await driver.connect()
            session = await lab.qpu_sessions.open(ANN, asked())
            for reader, holder in ((ANN, "ann"), (BOB, None), (MANAGER, "ann")):
                qpu = await lab.qpus.get(reader, "q1")
                assert qpu.session is not None
                assert (qpu.session.holder, qpu.session.mine) == (holder, reader is ANN)
                assert [s.holder for s in (await lab.qpu_sessions.list(reader)).sessions] == [holder]
            with pytest.raises(Conflict, match="Somebody holds a session"):
                await lab.qpu_sessions.open(BOB, asked())
            await lab.qpu_sessions.close(ANN, session.id)
            told = [e.data for e in (await lab.events.page(BOB)).events if e.kind == "session.changed"]
            assert told == [SessionData(action=action, session_id=session.id) for action in ("opened", "closed")]

    asyncio.run(dialogue())

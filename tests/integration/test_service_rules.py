"""Whose turn it is: boundaries, absent bookers, switches, shares, predictions."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Forbidden, NotFound
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.core.outlook import ENOUGH
from qpi_jupyter.core.planner import Policy
from qpi_jupyter.wire.frames import Assignment, Prepared
from qpi_jupyter.wire.jobs import Eta
from qpi_jupyter.wire.rest import OptionsIn, QpuChange
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, ScriptedDriver, bell, open_lab, settled, small_lab
from tests.support.rules import book, moment, rows

MANAGER = Principal(name="mia", roles=frozenset({Role.MANAGER}))
PATIENT: dict[str, Any] = {"reask_s": 1e6, "lease_s": 1e6}


def takes(seconds: float, upper_s: float | None = None) -> Any:
    estimate = Estimate(estimate_s=seconds, upper_s=seconds if upper_s is None else upper_s, memory_bytes=1)
    return lambda _prepare: Prepared(estimate=estimate)


async def empty(lab: Lab, claim: asyncio.Task[Assignment]) -> bool:
    """Whether the claim still waits when everything has been said."""
    await settled(lab)
    return not claim.done()


async def parked(driver: ScriptedDriver) -> asyncio.Task[Assignment]:
    return asyncio.create_task(driver.claim())


def test_a_job_waits_for_a_booking_to_end_and_begins_at_once(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            await driver.connect()
            await book(lab, "bob", -10, 60)
            job, _ = await lab.jobs.submit(ANN, bell())
            claim = await parked(driver)
            assert await empty(lab, claim)
            clock.advance(59.9)
            assert await empty(lab, claim)
            clock.advance(0.1)
            assert (await claim).job_id == job.id

    asyncio.run(dialogue())


def test_a_restarted_lab_keeps_to_its_calendar(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, _):
            await book(lab, "bob", -10, 60, no_show_s=30.0, mode="priority")
            await lab.jobs.submit(ANN, bell())
        async with open_lab(tmp_path, clock=clock, **PATIENT) as lab:
            await settled(lab)
            clock.advance(30)
            await settled(lab)
            assert [row["status"] for row in await rows(lab, "bookings")] == ["no_show"]

    asyncio.run(dialogue())


def test_a_booking_whose_people_do_not_come_is_given_back(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            await driver.connect()
            await book(lab, "bob", 0, 600, no_show_s=60.0)
            job, _ = await lab.jobs.submit(ANN, bell())
            claim = await parked(driver)
            assert await empty(lab, claim)
            clock.advance(60)
            assert (await claim).job_id == job.id
            (row,) = await rows(lab, "bookings")
            assert (row["status"], row["end_at"]) == ("no_show", moment(lab))
            events = (await lab.events.page(BOB)).events
            said = [e.data.action for e in events if e.kind == "booking.changed"]
            assert said == ["no_show"]

    asyncio.run(dialogue())


@pytest.mark.parametrize("who", ["bob", "ann"])
def test_a_booking_whose_people_came_is_theirs_to_the_end(tmp_path: Path, who: str) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            await driver.connect()
            await book(lab, "bob", 0, 600, no_show_s=60.0, invited=["ann"])
            clock.advance(5)
            await lab.jobs.submit({"bob": BOB, "ann": ANN}[who], bell())
            await driver.run()
            clock.advance(500)
            await settled(lab)
            (row,) = await rows(lab, "bookings")
            assert row["status"] == "booked"
            assert row["used_at"] == moment(lab) - timedelta(seconds=500)

    asyncio.run(dialogue())


def test_a_booker_whose_jobs_could_not_run_has_come_all_the_same(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, _unplugged):
            await book(lab, "bob", 0, 600, no_show_s=60.0)
            await lab.jobs.submit(BOB, bell())
            await settled(lab)
            clock.advance(60)
            await settled(lab)
            (row,) = await rows(lab, "bookings")
            assert (row["status"], row["used_at"]) == ("booked", moment(lab))

    asyncio.run(dialogue())


# What is staged


def test_nothing_is_staged_that_could_reach_into_a_booking_from_behind_what_runs(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            driver.answer = takes(10.0)
            await driver.connect()
            await book(lab, "bob", 19, 600)
            for _ in range(2):
                await lab.jobs.submit(ANN, bell())
            first = await driver.claim()
            await driver.started(first)
            claim = await parked(driver)
            assert await empty(lab, claim)
            clock.advance(5)
            await driver.deliver(first)  # sooner than it might have: now there is time for the second one
            assert (await claim).job_id

    asyncio.run(dialogue())


def test_a_higher_priority_takes_the_place_of_what_is_staged(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock(), **PATIENT) as (lab, driver):
            await driver.connect()
            for _ in range(3):
                await lab.jobs.submit(ANN, bell())
            await driver.started(await driver.claim())
            staged = await driver.claim()
            await settled(lab)
            assert driver.recalls.empty()
            urgent, _ = await lab.jobs.submit(MANAGER, bell(priority=1))
            assert (await driver.recalls.get()).job_id == staged.job_id
            await driver.report(staged, "released")
            assert (await driver.claim()).job_id == urgent.id

    asyncio.run(dialogue())


# Switches


@pytest.mark.parametrize("switch", [{"enabled": False}, {"maintenance": True}, {"hold": "too warm"}])
def test_a_switched_off_qpu_runs_nothing_and_goes_on_at_once(tmp_path: Path, switch: dict[str, Any]) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock(), **PATIENT) as (lab, driver):
            await driver.connect()
            await lab.qpus.change(MANAGER, "q1", QpuChange(**switch))
            job, _ = await lab.jobs.submit(ANN, bell())
            claim = await parked(driver)
            assert await empty(lab, claim)
            await lab.qpus.change(MANAGER, "q1", QpuChange(enabled=True, maintenance=False, hold=None))
            assert (await claim).job_id == job.id
            said = [row["data"] for row in await rows(lab, "audit") if row["action"] == "qpu.change"]
            assert said == [switch, {"enabled": True, "maintenance": False, "hold": None}]

    asyncio.run(dialogue())


def test_what_is_staged_comes_back_from_a_qpu_that_is_switched_off(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock(), **PATIENT) as (lab, driver):
            await driver.connect()
            for _ in range(2):
                await lab.jobs.submit(ANN, bell())
            await driver.started(await driver.claim())
            staged = await driver.claim()
            await lab.qpus.change(MANAGER, "q1", QpuChange(enabled=False))
            assert (await driver.recalls.get()).job_id == staged.job_id

    asyncio.run(dialogue())


def test_only_managers_switch_and_raise(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            with pytest.raises(Forbidden):
                await lab.qpus.change(ANN, "q1", QpuChange(enabled=False))
            with pytest.raises(NotFound):
                await lab.qpus.change(ADMIN, "q9", QpuChange(enabled=False))
            with pytest.raises(Forbidden) as caught:
                await lab.jobs.submit(ANN, bell(priority=1))
            assert (caught.value.code, caught.value.data["field"]) == ("priority", "priority")
            assert (await lab.jobs.submit(ANN, bell(priority=-1)))[0].priority == -1

    asyncio.run(dialogue())


def test_a_fair_share_lets_those_go_first_who_used_less(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, policy=Policy(fair_share=True)) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            await driver.run()
            for who in (ANN, ANN, BOB):
                await lab.jobs.submit(who, bell())
            order = [(await lab.jobs.get(ADMIN, (await driver.run()).job_id)).owner for _ in range(3)]
            assert order == ["bob", "ann", "ann"]

    asyncio.run(dialogue())


# What is promised


def test_a_waiting_job_says_when_it_begins_and_past_errors_are_told(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            driver.answer = takes(0.25)
            await driver.connect()
            early, _ = await lab.jobs.submit(ANN, bell())
            assert early.eta == Eta(of="start", known=False)
            await driver.run()
            for _ in range(ENOUGH - 1):
                await lab.jobs.submit(ANN, bell())
                await driver.run()
            driver.answer = takes(10.0)
            longer = OptionsIn(shots=4000)
            await lab.jobs.submit(ANN, bell(options=longer))
            second, _ = await lab.jobs.submit(ANN, bell(options=longer))
            assert second.reason is not None
            assert second.eta is not None
            assert (second.reason.position, second.eta.error_s) == (2, 0.0)
            assert second.eta.likely_at == moment(lab) + timedelta(seconds=10)
            assert second.eta.earliest_at is not None
            assert second.eta.latest_at is not None
            assert second.eta.earliest_at <= second.eta.likely_at <= second.eta.latest_at
            await driver.run()
            clock.advance(4)
            job = await driver.claim()
            assert job.job_id == second.id
            await driver.started(job)
            await settled(lab)
            # Promised after 10 s (the first one's estimate), begun after 4 s; the first one was on time.
            third, _ = await lab.jobs.submit(ANN, bell())
            assert third.eta is not None
            assert third.eta.error_s is not None
            assert 0 < third.eta.error_s < 6

    asyncio.run(dialogue())


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("used", [False, True])
def test_where_bookings_are_given_back_the_next_is_expected_to_be(tmp_path: Path, used: bool, restarted: bool) -> None:
    async def ask(lab: Lab) -> tuple[float, ...]:
        await book(lab, "bob", 0, 600, no_show_s=60.0)
        job, _ = await lab.jobs.submit(ANN, bell())
        assert job.eta is not None
        moments = job.eta.earliest_at, job.eta.likely_at, job.eta.latest_at
        return tuple((at - moment(lab)).total_seconds() for at in moments if at is not None)

    async def dialogue() -> None:
        clock = FrozenClock()
        expected = (600.0,) * 3 if used else (60.0,) * 3
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            await driver.connect()
            for n in range(ENOUGH):
                await lab.jobs.submit(ANN, bell())
                await driver.run()
                await book(lab, "bob", 0, 600, no_show_s=60.0, id=f"past-{n}")
                if used:
                    await lab.jobs.submit(BOB, bell())
                    await driver.run()
                clock.advance(60)
                await settled(lab)
                clock.advance(600)
                await settled(lab)
            if not restarted:
                assert await ask(lab) == pytest.approx(expected, abs=1.0)
        if restarted:
            async with open_lab(tmp_path, clock=clock, **PATIENT) as lab:
                await ScriptedDriver(lab, driver.principal).connect()
                assert await ask(lab) == pytest.approx(expected, abs=1.0)

    asyncio.run(dialogue())


def test_estimates_follow_what_was_measured_and_bounds_stay(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            driver.answer = takes(1.0, 2.0)
            await driver.connect()
            for _ in range(30):
                await lab.jobs.submit(ANN, bell())
                await driver.run()  # measured: 0.25 s
            job, _ = await lab.jobs.submit(ANN, bell())
            assert job.estimate_s == pytest.approx(0.25, rel=0.3)
            assert job.upper_s == 2.0
            (stored,) = [row for row in await rows(lab, "jobs") if row["id"] == job.id]
            assert stored["raw_estimate_s"] == 1.0

    asyncio.run(dialogue())


def test_an_estimate_that_was_too_small_raises_the_bound(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            driver.answer = takes(0.05)
            await driver.connect()
            for _ in range(30):
                await lab.jobs.submit(ANN, bell())
                await driver.run()
            job, _ = await lab.jobs.submit(ANN, bell())
            assert job.upper_s == job.estimate_s == pytest.approx(0.25, rel=0.3)

    asyncio.run(dialogue())

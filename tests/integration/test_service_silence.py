"""Drivers that go, come back, or fall silent; servers that start again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qpi_jupyter.core.errors import Conflict, NotFound, Unauthorized
from qpi_jupyter.wire.events import DriverChanged, QpuChanged
from qpi_jupyter.wire.frames import Assignment, Held
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.service import Lab
from tests.faults.lab import (
    ADMIN,
    ANN,
    HARDWARE,
    FrozenClock,
    ScriptedDriver,
    bell,
    driver_of,
    open_lab,
    settled,
    small_lab,
    turn,
)

LEASE_S = 20.0


def held(job: Assignment, phase: str = "running") -> Held:
    return Held(job_id=job.job_id, attempt=job.attempt, phase=phase)


async def running(lab: Lab, driver: ScriptedDriver) -> Assignment:
    await lab.jobs.submit(ANN, bell())
    job = await driver.claim()
    await driver.started(job)
    return job


async def phase(lab: Lab, job: Assignment, wanted: str) -> None:
    """Wait until the job is in that phase."""
    async with asyncio.timeout(20):
        while (model := await lab.jobs.get(ANN, job.job_id)).phase != wanted:
            await lab.jobs.get(ANN, job.job_id, wait_s=20, version=model.version)


def test_a_silent_drivers_job_is_given_to_the_next(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            clock.advance(3 * LEASE_S)
            await driver.connect()
            job = await running(lab, driver)
            clock.advance(LEASE_S - 1)
            await driver.heartbeat(held(job))
            clock.advance(LEASE_S - 1)
            await phase(lab, job, "running")
            clock.advance(2)
            await phase(lab, job, "queued")
            assert driver.closed  # its link is closed: it has to say hello again
            other = await driver_of(lab, "q1", "d2")
            await other.connect()
            again = await other.claim()
            assert (again.job_id, again.attempt) == (job.job_id, 2)
            # The first one comes back, still running it: it may drop it, and what it delivers changes nothing.
            driver.unplug()
            welcome = await driver.connect([held(job)])
            assert [item.job_id for item in welcome.drop] == [job.job_id]
            assert (await driver.deliver(job))[1].accepted is False
            assert (await other.deliver(again))[0] == 201

    asyncio.run(dialogue())


def test_a_driver_that_comes_back_before_anybody_took_its_job_keeps_it(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            clock.advance(3 * LEASE_S)
            await driver.connect()
            job = await running(lab, driver)
            driver.unplug()
            clock.advance(LEASE_S + 1)
            await phase(lab, job, "queued")
            welcome = await driver.connect([held(job)])
            assert welcome.drop == []
            await phase(lab, job, "running")
            assert (await driver.deliver(job))[0] == 201
            assert (await lab.jobs.get(ANN, job.job_id)).attempt == 1

    asyncio.run(dialogue())


def test_no_lease_ends_within_two_lease_lengths_of_a_start(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await driver.connect()
            job = await running(lab, driver)
        clock = FrozenClock()
        async with open_lab(tmp_path, clock=clock) as lab:
            clock.advance(2 * LEASE_S - 1)
            await phase(lab, job, "running")
            clock.advance(2)
            await phase(lab, job, "queued")

    asyncio.run(dialogue())


def test_after_a_restart_of_the_server_a_driver_goes_on(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await running(lab, driver)
            left, _ = await lab.jobs.submit(ANN, bell())
        async with open_lab(tmp_path) as lab:
            driver.lab = lab
            welcome = await driver.connect([held(job)])
            assert welcome.drop == []
            assert (await driver.deliver(job))[0] == 201
            assert (await driver.claim()).job_id == left.id
            counts = (await lab.qpus.list(ANN)).qpus[0]
            assert (counts.queued, counts.running) == (1, 0)

    asyncio.run(dialogue())


def test_an_attempt_that_a_driver_leaves_out_at_hello_is_given_out_again(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await running(lab, driver)
            driver.unplug()
            unknown = Held(job_id="job-unknown", attempt=1)
            welcome = await driver.connect([unknown])
            assert welcome.drop == [unknown]
            again = await driver.claim()
            assert (again.job_id, again.attempt) == (job.job_id, 2)
            await driver.heartbeat(held(job), held(again))
            abort = await driver.aborts.get()
            assert (abort.job_id, abort.attempt) == (job.job_id, 1)

    asyncio.run(dialogue())


# Instruments


def test_a_lost_run_of_an_instrument_waits_and_its_data_is_taken(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, kind="device", clock=clock, driver={"manifest": HARDWARE}) as (lab, driver):
            clock.advance(3 * LEASE_S)
            await driver.connect()
            job = await running(lab, driver)
            driver.unplug()
            clock.advance(LEASE_S + 1)
            await phase(lab, job, "lost")
            clock.advance(3000)
            await driver.connect([held(job, "measured")])
            await phase(lab, job, "running")
            assert (await driver.deliver(job))[0] == 201

    asyncio.run(dialogue())


def test_who_has_seen_progress_hears_that_the_run_is_lost_and_that_it_is_back(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, kind="device", clock=clock, driver={"manifest": HARDWARE}) as (lab, driver):
            clock.advance(3 * LEASE_S)
            await driver.connect()
            job = await running(lab, driver)
            for fraction in (0.1, 0.2, 0.3):
                await driver.progress(job, fraction)
                clock.advance(0.2)
            await turn()
            seen = await lab.jobs.get(ANN, job.job_id)
            assert seen.progress == 0.3
            driver.unplug()
            clock.advance(LEASE_S + 1)
            async with asyncio.timeout(10):
                lost = await lab.jobs.get(ANN, job.job_id, wait_s=60, version=seen.version)
                assert (lost.phase, lost.version > seen.version) == ("lost", True)
                await driver.connect([held(job)])
                back = await lab.jobs.get(ANN, job.job_id, wait_s=60, version=lost.version)
                assert (back.phase, back.version > lost.version) == ("running", True)

    asyncio.run(dialogue())


def test_a_driver_that_was_not_told_that_the_lab_has_its_result_may_ask_again(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await running(lab, driver)
            await driver.deliver(job)
            driver.unplug()
            welcome = await driver.connect([held(job, "measured")])
            assert welcome.drop == []
            status, stored = await driver.deliver(job)
            assert (status, stored.accepted) == (200, True)

    asyncio.run(dialogue())


def test_a_lost_run_fails_when_salvage_is_over_also_across_a_restart(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, kind="device", clock=clock, driver={"manifest": HARDWARE}) as (lab, driver):
            clock.advance(3 * LEASE_S)
            await driver.connect()
            job = await running(lab, driver)
            driver.unplug()
            clock.advance(LEASE_S + 1)
            await phase(lab, job, "lost")
        clock.advance(1000)
        async with open_lab(tmp_path, clock=clock) as lab:
            clock.advance(2500)
            await phase(lab, job, "lost")
            clock.advance(200)
            await phase(lab, job, "failed")
            error = (await lab.jobs.get(ANN, job.job_id)).error
            assert error is not None
            assert error.code == "driver_lost"

    asyncio.run(dialogue())


def test_a_lost_run_can_be_ended_by_cancelling_it(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, kind="device", clock=clock, driver={"manifest": HARDWARE}) as (lab, driver):
            clock.advance(3 * LEASE_S)
            await driver.connect()
            job = await running(lab, driver)
            driver.unplug()
            clock.advance(LEASE_S + 1)
            await phase(lab, job, "lost")
            assert (await lab.jobs.cancel(ANN, job.job_id)).status == "cancelled"

    asyncio.run(dialogue())


def test_a_device_has_one_live_driver(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, kind="device", clock=clock, driver={"manifest": HARDWARE}) as (lab, driver):
            clock.advance(3 * LEASE_S)
            first = await driver.connect()
            other = await driver_of(lab, "q1", "d2", manifest=HARDWARE)
            with pytest.raises(Conflict, match="another driver"):
                await other.connect()
            # The same token again takes over, and the old link is closed.
            newer = ScriptedDriver(lab, driver.principal, manifest=HARDWARE)
            second = await newer.connect()
            assert second.epoch == first.epoch + 1
            assert driver.closed
            with pytest.raises(Exception, match=r"closed|hello"):
                await driver.claim()
            # Only when the silent one's lease is over may another one come.
            newer.unplug()
            await turn()
            with pytest.raises(Conflict):
                await other.connect()
            clock.advance(LEASE_S + 1)
            await other.connect()

    asyncio.run(dialogue())


def test_the_last_word_on_a_driver_that_vanished_during_its_hello_is_that_it_is_gone(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            hello = asyncio.create_task(driver.connect())
            await turn(2)
            driver.unplug()
            await asyncio.gather(hello, return_exceptions=True)
            await settled(lab)
            events = (await lab.events.page(ADMIN)).events
            assert [e.data.status for e in events if isinstance(e, QpuChanged)] == ["offline", "online", "offline"]
            assert [e.data.action for e in events if isinstance(e, DriverChanged)][-2:] == ["linked", "unlinked"]

    asyncio.run(dialogue())


def test_a_monitor_claims_nothing_and_does_not_count_as_the_driver(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, kind="device", driver={"manifest": HARDWARE}) as (lab, driver):
            monitor = await driver_of(lab, "q1", "m1", manifest=HARDWARE, monitor=True)
            await driver.connect()
            await monitor.connect()
            with pytest.raises(Exception, match="monitor"):
                await monitor.claim()
            driver.unplug()
            await turn()
            assert (await lab.qpus.list(ANN)).qpus[0].status == "offline"

    asyncio.run(dialogue())


def test_a_claim_whose_driver_vanished_gives_its_job_back(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            other = await driver_of(lab, "q1", "d2")
            await driver.connect()
            await other.connect()
            claim = asyncio.create_task(driver.claim())
            await turn()
            work = asyncio.create_task(lab.jobs.submit(ANN, bell()))
            while not any(task.get_name() == "dispatch q1" for task in asyncio.all_tasks()):
                await asyncio.sleep(0)
            driver.unplug()
            await asyncio.gather(claim, return_exceptions=True)
            job, _ = await work
            assert (await other.claim()).job_id == job.id

    asyncio.run(dialogue())


# People


def test_tokens_are_known_until_they_expire_or_are_replaced(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with open_lab(tmp_path, clock=clock) as lab:
            from qpi_server.service import EmbeddedDriver

            await lab.embedded.define(EmbeddedDriver(name="sim", qpu="sim-a", executor="mock", options={"n": 3}))
            old = await lab.embedded.token("sim")
            assert (await lab.authenticator.authenticate(old)).qpu == "sim-a"
            new = await lab.embedded.token("sim")
            with pytest.raises(Unauthorized):
                await lab.authenticator.authenticate(old)
            assert (await lab.authenticator.authenticate(new)).is_driver
            with pytest.raises(NotFound):
                await lab.embedded.token("nobody")
            await lab.authenticator.admit(ANN)
            made = await lab.tokens.create(ANN, TokenIn(name="script", expires_at=clock.now().replace(hour=1)))
            assert await lab.authenticator.authenticate(made.token) == ANN
            assert made.token.startswith("qpi_")
            clock.advance(3600)
            with pytest.raises(Unauthorized, match="expired"):
                await lab.authenticator.authenticate(made.token)
            database = (tmp_path / "lab.sqlite3-wal").read_bytes() + (tmp_path / "lab.sqlite3").read_bytes()
            assert made.token.encode() not in database
            (definition,) = await lab.embedded.definitions()
            assert (definition.qpu, definition.options) == ("sim-a", {"n": 3})

    asyncio.run(dialogue())

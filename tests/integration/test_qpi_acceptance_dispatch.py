"""What a booking promises, each as one observable fact: the first three acceptance checks that QPI lacks."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.wire.frames import Assignment, Prepare, Prepared
from qpi_jupyter.wire.rest import OptionsIn, QpuIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, ScriptedDriver, bell, driver_of, settled, small_lab
from tests.support.rules import book, moment, rows


def by_shots(prepare: Prepare) -> Prepared:
    """A driver's check that takes the shots for the seconds of the bound."""
    seconds = float(prepare.program.options.shots)
    return Prepared(estimate=Estimate(estimate_s=seconds, upper_s=seconds, memory_bytes=1))


def shots(count: int) -> OptionsIn:
    return OptionsIn(shots=count)


async def job_of(driver: ScriptedDriver, lab: Lab, claim: asyncio.Task[Assignment]) -> str | None:
    """Whose job the claim has got by now; None while it waits."""
    await settled(lab)
    return (await lab.jobs.get(ADMIN, claim.result().job_id)).owner if claim.done() else None


def test_a_booked_qpu_runs_only_the_bookers_jobs_and_another_qpu_is_unaffected(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, first):
            await lab.qpus.create(ADMIN, QpuIn(name="q2"))
            second = await driver_of(lab, "q2", "d2")
            await first.connect()
            await second.connect()
            await book(lab, "bob", -60, 600)
            for qpu in ("q1", "q2"):
                await lab.jobs.submit(ANN, bell(qpu))
            claim = asyncio.create_task(first.claim())
            assert await job_of(first, lab, claim) is None
            assert (await second.run()).job_id
            mine, _ = await lab.jobs.submit(BOB, bell("q1"))
            assert (await claim).job_id == mine.id
            waiting = (await lab.jobs.list(ANN, qpu="q1")).jobs[0]
            assert waiting.reason is not None
            assert waiting.reason.rule == "booked_exclusive"

    asyncio.run(dialogue())


def test_while_the_booker_is_idle_a_short_job_may_run_that_ends_before_the_next_booked_job(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, reask_s=1e6) as (lab, driver):
            driver.answer = by_shots
            await driver.connect()
            await book(lab, "bob", 0, 60, mode="priority")
            await book(lab, "bob", 60, 90)
            short, _ = await lab.jobs.submit(ANN, bell(options=shots(20)))
            await lab.jobs.submit(ANN, bell(options=shots(31)))
            claim = asyncio.create_task(driver.claim())
            assert await job_of(driver, lab, claim) is None
            clock.advance(4.9)
            assert await job_of(driver, lab, claim) is None
            clock.advance(0.1)
            assert (await claim).job_id == short.id

            # 20 s later there are 35 s left: nothing of 36 s begins, and the next slot's first job is not late.
            await driver.started(claim.result())
            clock.advance(20)
            await driver.deliver(claim.result())
            late, _ = await lab.jobs.submit(ANN, bell(options=shots(30)))
            clock.advance(6)
            claim = asyncio.create_task(driver.claim())
            assert await job_of(driver, lab, claim) is None
            mine, _ = await lab.jobs.submit(BOB, bell(options=shots(1)))
            assert (await claim).job_id == mine.id
            assert (await lab.jobs.get(ANN, late.id)).status == "pending"

    asyncio.run(dialogue())


def test_with_200_queued_jobs_the_first_job_of_a_slot_starts_within_one_jobs_length(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, reask_s=1e6, lease_s=1e6) as (lab, driver):
            driver.answer = by_shots
            await driver.connect()
            for _ in range(200):
                await lab.jobs.submit(ANN, bell(options=shots(10)))
            first = await driver.claim()
            await driver.started(first)
            staged = await driver.claim()
            clock.advance(4)
            # Booked at short notice: what runs may end, what is staged comes back.
            await book(lab, "bob", 2, 600)
            mine, _ = await lab.jobs.submit(BOB, bell(options=shots(10)))
            clock.advance(2)
            began = moment(lab)
            assert (await driver.recalls.get()).job_id == staged.job_id
            await driver.report(staged, "released")
            claim = asyncio.create_task(driver.claim())
            clock.advance(4)
            await driver.deliver(first)
            assert (await claim).job_id == mine.id
            assert moment(lab) - began <= timedelta(seconds=10)
            attempts = [row for row in await rows(lab, "attempts") if row["job_id"] == staged.job_id]
            assert [row["outcome"] for row in attempts] == ["released"]

    asyncio.run(dialogue())

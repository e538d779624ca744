"""How a job ends other than well: cancels, faults, interruptions, and what each costs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qpi_jupyter.core.accounting import EntryKind
from qpi_jupyter.core.errors import Conflict, NotFound
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.wire.frames import Held, Prepared
from qpi_server.store import facts
from tests.faults.lab import ANN, BOB, bell, small_lab, turn


def test_cancel_of_a_waiting_job_is_at_once(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            job, _ = await lab.jobs.submit(ANN, bell())
            assert (await lab.jobs.cancel(ANN, job.id)).status == "cancelled"
            assert (await lab.jobs.cancel(ANN, job.id)).status == "cancelled"
            with pytest.raises(NotFound):
                await lab.jobs.cancel(BOB, job.id)

    asyncio.run(dialogue())


def test_cancel_tells_the_driver_and_again_at_its_heartbeat(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await driver.started(given)
            assert (await lab.jobs.cancel(ANN, job.id)).phase == "cancelling"
            assert (await driver.aborts.get()).job_id == job.id
            await driver.heartbeat(Held(job_id=job.id, attempt=1))
            assert (await driver.aborts.get()).attempt == 1
            assert await driver.report(given, "aborted", busy_s=0.1)
            done = await lab.jobs.get(ANN, job.id)
            assert (done.status, done.busy_s) == ("cancelled", 0.1)

    asyncio.run(dialogue())


def test_a_result_beats_a_cancel(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await driver.started(given)
            await lab.jobs.cancel(ANN, job.id)
            assert (await driver.deliver(given))[0] == 201
            assert (await lab.jobs.get(ANN, job.id)).status == "completed"
            assert not await driver.report(given, "aborted") or (await lab.jobs.get(ANN, job.id)).status == "completed"

    asyncio.run(dialogue())


def test_a_late_start_of_a_cancelled_job_is_aborted(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await lab.jobs.cancel(ANN, job.id)
            await driver.aborts.get()
            await driver.report(given, "released")
            assert (await lab.jobs.get(ANN, job.id)).status == "cancelled"
            await driver.started(given)
            assert (await driver.aborts.get()).job_id == job.id

    asyncio.run(dialogue())


# Reports and the ledger


def test_a_program_at_fault_fails_with_the_drivers_words(tmp_path: Path) -> None:
    error = {"kind": "ProgramError", "code": "bad_program", "message": "no such gate", "data": {"line": 3, "column": 7}}

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            await driver.report(await driver.claim(), "errored", error=error)
            done = await lab.jobs.get(ANN, job.id)
            assert done.status == "failed"
            assert done.error is not None
            assert (done.error.message, done.error.data["line"]) == ("no such gate", 3)
            with pytest.raises(Conflict) as caught:
                await lab.jobs.result(ANN, job.id)
            assert caught.value.data["error"]["code"] == "bad_program"

    asyncio.run(dialogue())


def test_every_attempt_is_held_once_and_settled_or_refunded_once(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            driver.answer = lambda prepare: Prepared(estimate=Estimate(estimate_s=2.0, upper_s=3.0))
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            await driver.report(await driver.claim(), "interrupted")
            await driver.report(await driver.claim(), "released")
            third = await driver.claim()
            await driver.deliver(third, busy_s=1.5)
            await driver.deliver(third, busy_s=1.5)
            entries = await lab.context.db.read(lambda c: facts.entries(c, job.id))
            kinds = [(entry.attempt, entry.kind) for entry in entries]
            assert kinds == [
                (1, EntryKind.HOLD),
                (1, EntryKind.REFUND),
                (2, EntryKind.HOLD),
                (2, EntryKind.REFUND),
                (3, EntryKind.HOLD),
                (3, EntryKind.SETTLE),
            ]
            assert await lab.context.db.read(lambda c: facts.balance(c, "ann")) == -1.5

    asyncio.run(dialogue())


def test_three_interruptions_and_a_simulators_job_has_failed(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            for attempt in (1, 2, 3):
                given = await driver.claim()
                assert given.attempt == attempt
                await driver.report(given, "interrupted")
            assert (await lab.jobs.get(ANN, job.id)).status == "failed"

    asyncio.run(dialogue())


def test_progress_moves_the_version_and_wakes_readers(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await driver.started(given)
            seen = await lab.jobs.get(ANN, job.id)
            news = asyncio.create_task(lab.jobs.get(ANN, job.id, wait_s=30, version=seen.version))
            await turn()
            await driver.progress(given, 0.5)
            after = await news
            assert after.progress == 0.5
            assert after.version > seen.version
            await driver.deliver(given)
            assert (await lab.jobs.get(ANN, job.id)).version > after.version

    asyncio.run(dialogue())

"""One job's trip through the service, with a scripted driver at the other end."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from qpi_jupyter.core.errors import Conflict, Forbidden, Rejected
from qpi_jupyter.core.programs import unpack
from qpi_jupyter.wire.frames import MAX_OPTIONS_BYTES
from qpi_jupyter.wire.jobs import JobModel
from qpi_jupyter.wire.rest import DriverIn, OptionsIn, QpuIn
from qpi_server.service.base import Metrics
from tests.faults.lab import ADMIN, ANN, BELL, DATA, FrozenClock, bell, driver_of, open_lab, small_lab, turn


def test_a_bell_job_goes_all_the_way(tmp_path: Path) -> None:
    async def dialogue() -> JobModel:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            claim = asyncio.create_task(driver.claim())
            job, created = await lab.jobs.submit(ANN, bell())
            assert created
            assert (job.status, job.checked, job.attempt) == ("pending", True, 0)
            waiting = asyncio.create_task(lab.jobs.get(ANN, job.id, wait_s=30))
            given = await claim
            assert (given.job_id, given.attempt) == (job.id, 1)
            assert given.program is not None
            assert given.program.sources == [BELL.encode()]
            await driver.started(given)
            assert (await lab.jobs.get(ANN, job.id)).phase == "running"
            status, stored = await driver.deliver(given)
            assert (status, stored.accepted) == (201, True)
            done = await waiting
            result = await lab.jobs.result(ANN, job.id)
            assert result["results"][0]["data"]["counts"] == {"0x0": 60, "0x3": 40}
            path, info = await lab.jobs.dataset(ANN, job.id)
            assert path.read_bytes() == DATA
            assert info == done.dataset
            assert unpack(await lab.jobs.program(ANN, job.id)) == (BELL.encode(),)
            assert (await lab.qpus.list(ANN)).qpus[0].queued == 0
            return done

    job = asyncio.run(dialogue())
    assert job.status == "completed"
    assert job.counts == [{"00": 60, "11": 40}]
    assert job.busy_s == 0.25
    assert job.progress == 1.0


def test_the_submit_and_its_assignment_share_a_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commits: list[int] = []
    monkeypatch.setattr(Metrics, "committed", lambda self, units, seconds: commits.append(units))

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            claim = asyncio.create_task(driver.claim())
            await lab.jobs.submit(ANN, bell())  # this one may meet the claim's own look at the queue
            await driver.deliver(await claim)
            claim = asyncio.create_task(driver.claim())
            await turn()
            commits.clear()
            await lab.jobs.submit(ANN, bell())
            assert (await claim).job_id
            assert commits == [2]

    asyncio.run(dialogue())


def test_an_idle_lab_answers_a_parked_claim_with_nothing_after_the_reask_time(tmp_path: Path) -> None:
    async def dialogue() -> str:
        async with small_lab(tmp_path, reask_s=0.05) as (_, driver):
            await driver.connect()
            return (await driver.claim()).job_id

    assert asyncio.run(dialogue()) == ""


def test_a_driver_has_one_running_and_one_staged_job_a_place(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"places": 1}) as (lab, driver):
            await driver.connect()
            for _ in range(3):
                await lab.jobs.submit(ANN, bell())
            first, second = await driver.claim(), await driver.claim()
            third = asyncio.create_task(driver.claim())
            await turn()
            assert not third.done()
            await driver.deliver(first)
            assert (await third).job_id not in {first.job_id, second.job_id, ""}

    asyncio.run(dialogue())


def test_claims_of_two_drivers_get_different_jobs_and_the_idle_driver_comes_first(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, one):
            two = await driver_of(lab, "q1", "d2")
            await one.connect()
            await two.connect()
            await lab.jobs.submit(ANN, bell())
            await one.claim()
            staged, idle = asyncio.create_task(one.claim()), asyncio.create_task(two.claim())
            await turn()
            await lab.jobs.submit(ANN, bell())
            assert (await idle).job_id
            assert not staged.done()
            await lab.jobs.submit(ANN, bell())
            assert (await staged).job_id != (await idle).job_id

    asyncio.run(dialogue())


def test_priority_then_age(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"places": 2}) as (lab, driver):
            await driver.connect()
            ids = [(await lab.jobs.submit(ADMIN, bell(priority=p)))[0].id for p in (0, 0, 5)]
            assert [(await driver.claim()).job_id for _ in ids] == [ids[2], ids[0], ids[1]]

    asyncio.run(dialogue())


# Delivery


def test_a_driver_token_starts_a_driver_and_nothing_else(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            await lab.qpus.create(ADMIN, QpuIn(name="q1"))
            made = await lab.registration.register(ADMIN, DriverIn(name="d1", qpu="q1"), address="https://lab")
            assert made.token in made.command
            principal = await lab.authenticator.authenticate(made.token)
            with pytest.raises(Forbidden):
                await lab.jobs.submit(principal, bell())
            with pytest.raises(Conflict):
                await lab.registration.register(ADMIN, DriverIn(name="d1", qpu="q1"), address="https://lab")

    asyncio.run(dialogue())


def test_options_that_no_frame_can_carry_are_refused(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            options = OptionsIn(shots=1, extra={"noise": "x" * MAX_OPTIONS_BYTES})
            with pytest.raises(Exception, match="run options") as caught:
                await lab.jobs.submit(ANN, bell(options=options))
            assert caught.value.code == "options_too_large"  # type: ignore[attr-defined]

    asyncio.run(dialogue())


def test_a_job_whose_driver_said_nothing_before_its_result_began_as_long_before_as_it_was_busy(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            clock.advance(10)
            await driver.deliver(given, busy_s=0.25)
            done = await lab.jobs.get(ANN, job.id)
            assert done.ended_at is not None
            assert done.started_at == done.ended_at - timedelta(seconds=0.25)
            assert (done.status, done.busy_s) == ("completed", 0.25)
            await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await driver.report(given, "errored", error=Rejected("no").to_dict(), busy_s=0.0)
            assert (await lab.jobs.get(ANN, given.job_id)).started_at is None

    asyncio.run(dialogue())

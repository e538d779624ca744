"""One job's trip through the service, with a scripted driver at the other end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from qpi_jupyter.wire.rest import JobModel
from tests.faults.lab import ANN, bell, small_lab


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
            assert given.program.sources
            await driver.started(given)
            assert (await lab.jobs.get(ANN, job.id)).phase == "running"
            status, stored = await driver.deliver(given)
            assert (status, stored.accepted) == (201, True)
            return await waiting

    job = asyncio.run(dialogue())
    assert job.status == "completed"
    assert job.counts == [{"00": 60, "11": 40}]
    assert job.busy_s == 0.25
    assert job.dataset is not None
    assert job.dataset.bytes == len(b"PK data")

"""What other surfaces, and what is written for others, make of a driver that says what is not so."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from qpi_jupyter.client import Lab as Client
from qpi_jupyter.core import NotFound
from qpi_jupyter.wire.frames import Prepared
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import OptionsIn, ProgramIn
from qpi_server.service import Lab
from qpi_server.web.compat.coordinator.jobs import (
    CoordinatorJobQuery,
    CoordinatorJobsQuery,
    coordinator_job,
    coordinator_jobs,
)
from qpi_server.web.compat.tasks import get_task
from qpi_server.web.table import Call
from tests.faults.lab import ANN, BELL, DATA, QUICK, ScriptedDriver, bell, small_lab
from tests.integration.test_client_care import BELL as CLIENTS_BELL
from tests.integration.test_client_families import with_client


def call(lab: Lab, job_id: str = "") -> Call:
    site: Any = SimpleNamespace()
    return Call(lab=lab, site=site, principal=ANN, path={"id": job_id}, headers={}, address="")


def test_many_circuits_that_a_driver_calls_one_are_no_circuit_for_them(tmp_path: Path) -> None:
    async def scene() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            driver.answer = lambda _: Prepared(estimate=QUICK)
            await driver.connect()
            many = ProgramIn(format="openqasm2", sources=[BELL, BELL])
            job, _ = await lab.jobs.submit(ANN, SubmitRequest(program=many, options=OptionsIn(shots=100), qpu="q1"))
            assert job.num_circuits == 1
            one, _ = await lab.jobs.submit(ANN, bell())
            listed = await coordinator_jobs(call(lab), CoordinatorJobsQuery())
            assert [line.job_id for line in listed] == [one.id]
            for ended in (job, one):
                await lab.jobs.cancel(ANN, ended.id)
            with pytest.MonkeyPatch.context() as patch:
                patch.delattr(type(lab.plan_runs), "run")  # what has ended otherwise is not looked into
                assert await coordinator_jobs(call(lab), CoordinatorJobsQuery(status=["COMPLETED"])) == []
            assert (await get_task(call(lab, one.id))).circuit_qasm == BELL
            with pytest.raises(NotFound):
                await get_task(call(lab, job.id))
            with pytest.raises(NotFound):
                await coordinator_job(call(lab, job.id), CoordinatorJobQuery())

    asyncio.run(scene())


def test_a_bundle_of_damaged_data_has_all_but_them(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, driver: ScriptedDriver, client: Client) -> None:
        job = await client.submit.aio(CLIENTS_BELL, qpu="q1")
        assigned = await driver.claim()
        await driver.started(assigned)
        await driver.deliver(assigned, blob=DATA.replace(b"data", b"atad"))
        await job.wait.aio()
        with zipfile.ZipFile(await job.bundle.aio(tmp_path / "job.zip")) as archive:
            about = json.loads(archive.read("bundle.json"))
            assert f"jobs/{job.id}/result.json" in archive.namelist()
        left_out = {f"jobs/{job.id}/result": "The driver sent damaged data: the checksum of 0.nc is wrong."}
        assert about["left_out"] == left_out

    with_client(tmp_path, dialogue)

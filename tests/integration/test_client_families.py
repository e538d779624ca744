"""Jobs that wait for others, as Python shows them; the lab is in this process."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.client import JobHandle, JobTable
from qpi_jupyter.client import Lab as Client
from qpi_jupyter.core.words import length
from qpi_jupyter.ui.bundle import finished
from qpi_jupyter.ui.state import state_of
from qpi_server.service import Lab
from tests.faults.lab import ScriptedDriver, small_lab
from tests.integration.test_client_care import BELL, in_order
from tests.support.web import JUPYTER_TOKEN, serving

USER = getpass.getuser()


def with_client(
    folder: Path, dialogue: Callable[[Lab, ScriptedDriver, Client], Awaitable[None]], **settings: Any
) -> None:
    async def run() -> None:
        async with small_lab(folder, **settings) as (lab, driver), serving(lab) as url:
            await driver.connect()
            client = await asyncio.to_thread(Client, url, JUPYTER_TOKEN)
            try:
                await dialogue(lab, driver, client)
            finally:
                await asyncio.to_thread(client.close)

    asyncio.run(run())


async def diamond(client: Client) -> list[JobHandle]:
    first = await client.submit.aio(BELL, qpu="q1", name="first")
    sides = [await client.submit.aio(BELL, qpu="q1", name=name, after=first) for name in ("left", "right")]
    return [first, *sides, await client.submit.aio(BELL, qpu="q1", children=sides[1], after=sides[0].id)]


def test_a_job_that_waits_for_others_says_so_everywhere(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, _driver: ScriptedDriver, client: Client) -> None:
        first, left, right, last = await diamond(client)
        waits = f"Waiting for other jobs: Job {left.id} and 1 other have to complete first"
        assert last.explanation() == waits
        assert repr(last) == f"<Job {last.id}: {waits}>"
        assert (last.model.status, last.model.phase) == ("pending", "blocked")
        table = JobTable([last])
        assert waits in repr(table)
        assert waits in table._repr_html_()
        state = state_of(last)
        assert (state["word"], state["reason"]) == ("Waiting for other jobs", waits.partition(": ")[2])
        assert state_of(first)["word"] == "Waiting"
        family = await right.family.aio()
        assert family.columns == ("id", "status", "qpu", "name", "after", "part of")
        assert [family.row(job) for job in family] == [
            (first.id, "Waiting", "q1", "first", "", ""),
            (left.id, "Waiting for other jobs", "q1", "left", "first", ""),
            (right.id, "Waiting for other jobs", "q1", "right", "first", last.id),
            (last.id, "Waiting for other jobs", "q1", "", "left, right", ""),
        ]
        assert repr(family).splitlines()[0] == f"4 jobs, {length(family.cost_s)} of QPU time"
        assert list(family.to_pandas()["after"])[-1] == [left.id, right.id]

    with_client(tmp_path, dialogue)


def test_a_job_that_was_cancelled_with_another_says_so_everywhere(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, driver: ScriptedDriver, client: Client) -> None:
        first, left, right, last = await diamond(client)
        await driver.run()
        await first.wait.aio()
        job = await driver.claim()
        await driver.started(job)
        running = await client.job.aio(job.job_id)
        above = await client.submit.aio(BELL, qpu="q1", children=running)
        await above.cancel.aio()
        await driver.report(job, "aborted")
        why = f"Job {above.id} was cancelled, and this job with it."
        for other in (running, left, right, last):
            await other.wait.aio()
            assert str(other.error) == other.explanation() == why
        state = state_of(running)
        assert (state["word"], state["reason"], state["error"]) == ("Cancelled", why, None)
        saved = await finished(running)
        assert why in saved["text/plain"]
        assert why in saved["text/html"]
        alone = await client.submit.aio(BELL, qpu="q1")
        await alone.cancel.aio()
        assert alone.explanation() == f"Job {alone.id} was cancelled."
        assert state_of(alone)["reason"] == ""

    with_client(tmp_path, dialogue)


def test_the_story_of_a_family_is_one(tmp_path: Path) -> None:
    async def dialogue(_lab: Lab, driver: ScriptedDriver, client: Client) -> None:
        jobs = await diamond(client)
        for _ in jobs:
            await driver.run()
        stories = [await (await job.wait.aio()).story.aio() for job in jobs]
        assert len({repr(story) for story in stories}) == 1
        story = stories[0]
        cost_s = (await jobs[0].family.aio()).cost_s
        assert cost_s == pytest.approx(sum(job.model.busy_s or 0.0 for job in jobs))
        assert repr(story).splitlines()[0] == f"4 jobs, {length(cost_s)} of QPU time"
        last = jobs[-1].id
        in_order(
            [
                f"first {USER} submitted it to q1", f"left {USER} submitted it to q1, to run after 1 job",
                f"{last} {USER} submitted it to q1, to run after 2 jobs", "first completed",
                "left all jobs that it waited for have completed; queued",
                f"{last} a job that it waits for has completed; still waiting for 1 job", "right completed",
                f"{last} all jobs that it waited for have completed; queued", f"{last} completed",
            ],
            [" ".join(story.row(moment)[1:]) for moment in story],
        )  # fmt: skip
        alone = await client.submit.aio(BELL, qpu="q1")
        assert (await alone.story.aio()).columns == ("after", "what")

    with_client(tmp_path, dialogue)

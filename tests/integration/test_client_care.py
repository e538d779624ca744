"""A job's story, its edits and its end, and searches, from the client's side of a lab in this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.client import Lab as Client
from qpi_jupyter.client.story import Story
from qpi_jupyter.core.errors import Conflict, NotFound, Rejected
from qpi_jupyter.wire.events import LabEvent, read_event
from qpi_jupyter.wire.frames import Held
from qpi_jupyter.wire.jobs import JobChange
from qpi_server.service import Lab
from tests.faults.lab import ANN, HARDWARE, FrozenClock, ScriptedDriver, bell, small_lab, turn
from tests.support.web import JUPYTER_TOKEN, serving

BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
QED = replace(ANN, groups=frozenset({"qed"}))


async def told(lab: Lab, job: str) -> list[str]:
    return [moment.text for moment in Story("", (await lab.events.of_job(ANN, job)).events)]


def in_lab(folder: Path, dialogue: Callable[[Lab, ScriptedDriver, FrozenClock], Awaitable[None]]) -> None:
    async def run() -> None:
        clock = FrozenClock()
        driver = {"manifest": HARDWARE}
        async with small_lab(folder, kind="device", clock=clock, driver=driver) as (lab, bench):
            await bench.connect()
            await dialogue(lab, bench, clock)

    asyncio.run(run())


def in_order(wanted: list[str], said: list[str]) -> None:
    """Each wanted part is in a line of its own, one after the other."""
    lines = iter(said)
    for part in wanted:
        assert any(part in line for line in lines), (part, said)


def test_a_story_tells_leases_attempts_and_edits(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, clock: FrozenClock) -> None:
        job, _ = await lab.jobs.submit(QED, bell(name="rabi"))
        given = await driver.claim()
        await driver.started(given)
        await turn()
        driver.unplug()
        clock.advance(60)
        await turn(200)
        await driver.connect(held=[Held(job_id=given.job_id, attempt=1)])
        await lab.jobs.change(QED, job.id, JobChange(name="rabi 2", tags=["cal"], shared_with="qed"))
        await lab.jobs.change(QED, job.id, JobChange(project="t1"))
        await driver.deliver(given)
        said = await told(lab, job.id)
        in_order(
            [
                "ann submitted it to q1", "assigned to d1 (attempt 1)", "attempt 1 started", "lost contact with d1",
                "its driver is back", "ann named it 'rabi 2' and tagged it cal and shared it with qed",
                "ann put it into 't1'", "completed",
            ],
            said,
        )  # fmt: skip

    in_lab(tmp_path, dialogue)


def test_a_story_tells_why_and_how_a_job_ended(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, driver: ScriptedDriver, _clock: FrozenClock) -> None:
        job, _ = await lab.jobs.submit(ANN, bell())
        given = await driver.claim()
        await driver.report(given, "interrupted", error={"kind": "Faulted", "code": "x", "message": "Cryo trip."})
        again = await driver.claim()
        await driver.started(again)
        await driver.report(again, "errored", error={"kind": "Rejected", "code": "x", "message": "Bad gate."})
        in_order(
            ["attempt 1 ended without a result; queued again", "assigned to d1 (attempt 2)", "failed: Bad gate."],
            await told(lab, job.id),
        )
        other, _ = await lab.jobs.submit(ANN, bell())
        given = await driver.claim()
        await lab.jobs.cancel(ANN, other.id)
        await driver.report(given, "aborted")
        in_order(["asked to stop", "cancelled"], await told(lab, other.id))

    in_lab(tmp_path, dialogue)


def event(after_s: float, kind: str, **data: Any) -> LabEvent:
    at = datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=after_s)
    usual = {"status": "pending", "attempt": 0, "version": 1}
    return read_event({"at": at, "kind": kind, "job_id": "j", "qpu": "q1", "data": usual | data})


def test_a_story_counts_what_was_held_charged_and_given_back() -> None:
    def line(kind: str, amount_s: float) -> list[dict[str, Any]]:
        return [{"kind": kind, "amount_s": amount_s, "account": "ann"}]

    story = Story("Job j", [
        event(0, "job.submitted", owner="ann", phase="queued", ledger=line("hold", -2.0)),
        event(0.25, "job.changed", phase="assigned", attempt=1, driver_name="d<1>"),
        event(30, "job.progress", phase="running", progress=0.5),
        event(300, "job.changed", phase="queued", attempt=1, ledger=[*line("refund", 2.0), *line("hold", -2.0)]),
        event(86_400 * 3, "job.changed", phase="completed", attempt=2, ledger=line("settle", -1068.0)),
        event(86_400 * 3, "job.something_new"),
    ])  # fmt: skip
    assert [(moment.after_s, moment.text) for moment in story] == [
        (0.0, "ann submitted it to q1; 2 s of QPU time reserved"),
        (0.25, "assigned to d<1> (attempt 1)"),
        (300.0, "attempt 1 ended without a result; queued again; 2 s given back; 2 s of QPU time reserved"),
        (259200.0, "completed; 17 min 50 s charged"),
    ]
    assert [story.row(moment)[0] for moment in story] == ["0.00 s", "0.25 s", "5.0 min", "3.0 d"]
    assert repr(story).startswith("Job j\n")
    assert "d&lt;1&gt;" in story._repr_html_()
    assert "Nothing is recorded" in repr(Story("Job j", []))


def test_handles_edit_tell_and_delete_and_searches_give_handles(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver), serving(lab) as url:
            await driver.connect()
            client = await asyncio.to_thread(Client, url, JUPYTER_TOKEN)
            try:
                job = await client.submit.aio(BELL, qpu="q1", name="first", tags=["cal"])
                other = await client.submit.aio(BELL, qpu="q1")
                await job.edit.aio(name="Rabi 50%", tags=["cal", "night"], project="t1")
                assert (job.model.name, job.model.tags, job.model.project) == ("Rabi 50%", ["cal", "night"], "t1")
                yesterday = datetime.now() - timedelta(days=1)
                for wanted in (
                    {"name": "50%"}, {"tags": "night"}, {"tags": ["night", "cal"]}, {"project": "t1", "mine": True},
                    {"submitted_after": yesterday, "project": "t1"},
                ):  # fmt: skip
                    assert [found.id for found in await client.jobs.aio(**wanted)] == [job.id], wanted  # type: ignore[arg-type]
                assert len(await client.jobs.aio(submitted_before="2001-01-01")) == 0
                assert [found.id for found in await client.jobs.aio(status="pending")] == [other.id, job.id]
                with pytest.raises(Rejected):
                    await client.jobs.aio(submitted_after="yesterday")
                with pytest.raises(TypeError, match=r"no option 'tag'. Did you mean tags"):
                    await client.jobs.aio(tag="night")  # type: ignore[call-arg]
                with pytest.raises(Conflict):
                    await job.delete.aio()
                await driver.run()
                story = await job.story.aio()
                assert f"Job {job.id} 'Rabi 50%'" in repr(story)
                assert "submitted it to q1" in story[0].text
                await job.delete.aio()
                with pytest.raises(NotFound):
                    await job.story.aio()
            finally:
                await asyncio.to_thread(client.close)

    asyncio.run(dialogue())

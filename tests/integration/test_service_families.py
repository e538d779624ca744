"""Jobs wait for others, and end with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from qpi_jupyter.core import families
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, QpiError, TooLarge
from qpi_jupyter.wire.events import JobSubmitted
from qpi_jupyter.wire.jobs import JobModel
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab
from qpi_server.service.jobs import retention
from qpi_server.store import schema
from tests.faults.lab import (
    ADMIN,
    ANN,
    BOB,
    HARDWARE,
    FrozenClock,
    bell,
    driver_of,
    open_lab,
    settled,
    small_lab,
)

LEASE_S = 20.0


async def submitted(lab: Lab, *, qpu: str = "q1", person: Any = ANN, **request: Any) -> str:
    job, _ = await lab.jobs.submit(person, bell(qpu, **request))
    return job.id


async def phases(lab: Lab, *jobs: str) -> list[str]:
    await settled(lab)
    return [(await lab.jobs.get(ANN, job)).phase for job in jobs]


async def diamond(lab: Lab, qpus: Sequence[str] = ("q1",) * 4) -> list[str]:
    """Four jobs: the second and the third wait for the first, the fourth for those."""
    first = await submitted(lab, qpu=qpus[0])
    sides = [await submitted(lab, qpu=qpu, after=[first]) for qpu in qpus[1:3]]
    return [first, *sides, await submitted(lab, qpu=qpus[3], after=sides)]


async def refused(lab: Lab, **request: Any) -> QpiError:
    with pytest.raises(QpiError) as caught:
        await lab.jobs.submit(ANN, bell(**request))
    return caught.value


def test_a_job_runs_after_those_that_it_waits_for(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            jobs = await diamond(lab)
            assert await phases(lab, *jobs) == ["queued", "blocked", "blocked", "blocked"]
            last = await lab.jobs.get(ANN, jobs[3])
            assert (last.status, last.family) == ("pending", jobs[0])
            assert last.reason is not None
            assert last.reason.rule == "dependency"
            assert last.reason.message == f"Job {jobs[1]} and 1 other have to complete first."
            order = [(await driver.run()).job_id for _ in jobs]
            assert order == jobs
            assert await phases(lab, *jobs) == ["completed"] * 4

    asyncio.run(dialogue())


def test_a_parked_claim_gets_what_an_end_lets_go_on_another_qpu(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await lab.qpus.create(ADMIN, QpuIn(name="q2"))
            other = await driver_of(lab, "q2", "d2")
            await driver.connect()
            await other.connect()
            first = await submitted(lab)
            second = await submitted(lab, qpu="q2", after=[first])
            claim = asyncio.create_task(other.claim())
            await settled(lab)
            assert not claim.done(), "a blocked job is never claimed"
            await driver.run()
            assert (await claim).job_id == second

    asyncio.run(dialogue())


def test_what_has_completed_already_is_not_waited_for(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            first = await submitted(lab)
            await driver.run()
            claim = asyncio.create_task(driver.claim())
            await settled(lab)
            second = await submitted(lab, after=[first, first])
            assert (await claim).job_id == second

    asyncio.run(dialogue())


def test_who_waits_for_a_failed_job_fails_and_names_it(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            jobs = await diamond(lab)
            job = await driver.claim()
            await driver.started(job)
            error = {"kind": "ProgramError", "code": "bad_program", "message": "no such gate", "data": {}}
            await driver.report(job, "errored", error=error, busy_s=0.1)
            assert await phases(lab, *jobs) == ["failed"] * 4
            for waited in jobs[1:]:
                model = await lab.jobs.get(ANN, waited)
                assert model.error is not None
                assert model.error.message == f"Job {jobs[0]}, which this one needs, failed: no such gate"
                assert model.error.data == {"job_id": jobs[0]}
            assert (await lab.jobs.family(ANN, jobs[2])).cost_s == pytest.approx(0.1)
            late = await refused(lab, after=[jobs[3]])
            assert isinstance(late, Conflict)
            assert late.code == "dependency_failed"

    asyncio.run(dialogue())


def test_cancelling_the_first_cancels_all(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            jobs = await diamond(lab)
            job = await driver.claim()
            await driver.started(job)
            await lab.jobs.cancel(ANN, jobs[0])
            assert await phases(lab, *jobs) == ["cancelling", "cancelled", "cancelled", "cancelled"]
            model = await lab.jobs.get(ANN, jobs[3])
            assert model.error is not None
            assert model.error.message == f"Job {jobs[0]} was cancelled, and this job with it."
            assert isinstance(await refused(lab, after=[jobs[0]]), Conflict)
            # It raced to finish: the measurement happened, and nobody waits for it any more.
            await driver.deliver(job, busy_s=0.2)
            assert await phases(lab, *jobs) == ["completed", "cancelled", "cancelled", "cancelled"]
            assert (await lab.jobs.family(ANN, jobs[0])).cost_s == pytest.approx(0.2)

    asyncio.run(dialogue())


def test_cancelling_a_parent_stops_its_children_wherever_they_are(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, kind="device", driver={"manifest": HARDWARE}) as (lab, driver):
            clock.advance(3 * LEASE_S)
            await lab.qpus.create(ADMIN, QpuIn(name="q2"))
            other = await driver_of(lab, "q2", "d2")
            await driver.connect()
            await other.connect()
            silent, running = await submitted(lab), await submitted(lab, qpu="q2")
            offline = await submitted(lab)
            for one in (driver, other):
                job = await one.claim()
                await one.started(job)
            driver.unplug()
            for _ in range(12):
                clock.advance(2.0)
                await other.heartbeat()
            apart = await submitted(lab, after=[running])
            parent = await submitted(lab, qpu="q2", children=[silent, running, offline])
            assert await phases(lab, silent, running, offline, parent) == ["lost", "running", "queued", "blocked"]
            assert (await lab.jobs.get(ANN, running)).parent == parent
            await lab.jobs.cancel(ANN, parent)
            children = await phases(lab, silent, running, offline, parent, apart)
            assert children == ["cancelled", "cancelling", "cancelled", "cancelled", "cancelled"]
            assert (await other.aborts.get()).job_id == running
            await other.report(job, "aborted")
            assert await phases(lab, running) == ["cancelled"]

    asyncio.run(dialogue())


def test_a_childs_failure_ends_its_parent_and_the_other_children(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            children = [await submitted(lab) for _ in range(3)]
            grandchild = children[0]
            middle = await submitted(lab, children=[grandchild])
            parent = await submitted(lab, children=[middle, *children[1:]])
            job = await driver.claim()
            await driver.started(job)
            await driver.report(job, "errored", error={"kind": "Rejected", "message": "no"})
            assert await phases(lab, *children, middle, parent) == [
                "failed", "cancelled", "cancelled", "failed", "failed",
            ]  # fmt: skip
            assert isinstance(await refused(lab, children=[middle]), Conflict)

    asyncio.run(dialogue())


def test_bad_families_are_refused(tmp_path: Path) -> None:
    async def dialogue() -> None:
        bobby = replace(BOB, groups=frozenset({"qed"}))
        anne = replace(ANN, groups=frozenset({"qed"}))
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            bobs = await submitted(lab, person=bobby)
            shared = await submitted(lab, person=bobby, shared_with="qed")
            mine = await submitted(lab)
            for name in ("after", "children"):
                for unknown in (bobs, "job-0"):
                    assert isinstance(await refused(lab, **{name: [unknown]}), NotFound)
                with pytest.raises(Forbidden) as caught:
                    await lab.jobs.submit(anne, bell(**{name: [mine, shared]}))
                assert caught.value.code == "not_yours"
                with pytest.raises(Forbidden):  # not even a manager mixes people's jobs
                    await lab.jobs.submit(ADMIN, bell(**{name: [mine]}))
            parent = await submitted(lab, children=[mine])
            taken = await refused(lab, children=[mine])
            assert (taken.code, parent in taken.message) == ("has_parent", True)
            assert (await lab.jobs.get(ANN, mine)).family == (await lab.jobs.get(ANN, parent)).family
            assert (await lab.jobs.list(ANN)).total == 2, "nothing of what was refused is stored"

    asyncio.run(dialogue())


def test_of_a_shared_jobs_family_only_what_is_shared_is_told(tmp_path: Path) -> None:
    bobby, ann = (replace(one, groups=frozenset({"qed"})) for one in (BOB, ANN))

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            private = await submitted(lab)
            shared = await submitted(lab, person=ann, shared_with="qed", after=[private])
            family = await lab.jobs.family(bobby, shared)
            assert [(job.id, job.after) for job in family.jobs] == [(shared, [])]
            assert family.cost_s is None
            assert [job.after for job in (await lab.jobs.family(ann, shared)).jobs] == [[], [private]]

    asyncio.run(dialogue())


def test_a_family_has_only_so_many_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(families, "MAX_FAMILY", 6)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            two = [await diamond(lab) for _ in range(2)]
            error = await refused(lab, after=[two[0][3], two[1][3]])
            assert isinstance(error, TooLarge)
            assert error.data == {"jobs": 9, "limit": 6}
            await submitted(lab, after=[two[0][0]])
            await submitted(lab, after=[two[0][1]])
            assert isinstance(await refused(lab, after=[two[0][0]]), TooLarge)

    asyncio.run(dialogue())


def test_families_grow_together(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            two = [await diamond(lab) for _ in range(2)]
            last = await submitted(lab, after=[two[0][3], two[1][3]], name="last")
            family = await lab.jobs.family(ANN, two[1][0])
            assert [job.id for job in family.jobs] == [*two[0], *two[1], last]
            assert {job.id: job.after for job in family.jobs}[last] == [two[0][3], two[1][3]]
            assert family.cost_s == pytest.approx(9 * 0.01), "held"
            alone = await submitted(lab)
            assert [job.id for job in (await lab.jobs.family(ANN, alone)).jobs] == [alone]
            with pytest.raises(NotFound):
                await lab.jobs.family(BOB, last)
            for _ in range(10):
                await driver.run()
            family = await lab.jobs.family(ANN, last)
            assert {job.status for job in family.jobs} == {"completed"}
            assert family.cost_s == pytest.approx(9 * 0.25), "used"

    asyncio.run(dialogue())


def test_the_story_of_a_family_is_one(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            jobs = await diamond(lab)
            for _ in jobs:
                await driver.run()
            await settled(lab)
            events = (await lab.events.of_job(ANN, jobs[1], family=True)).events
            assert {event.job_id for event in events} == set(jobs)
            assert [event.seq for event in events] == sorted(event.seq for event in events)
            said = [event.data.waits_for for event in events if isinstance(event, JobSubmitted)]
            assert said[1:] == [1, 1, 2]
            assert {event.job_id for event in (await lab.events.of_job(ANN, jobs[1])).events} == {jobs[1]}

    asyncio.run(dialogue())


def test_a_job_is_kept_while_others_of_its_family_go_on(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, retention_days=1.0) as (lab, driver):
            await driver.connect()
            first = await submitted(lab)
            await driver.run()
            second = await submitted(lab, after=[first])
            with pytest.raises(
                Conflict, match=rf"Job {first} cannot be deleted while others of its family go on \(1 job\)"
            ):
                await lab.jobs.delete(ANN, first)
            clock.advance(3 * retention.DAY_S)
            await settled(lab)
            assert await phases(lab, first) == ["completed"]
            await lab.jobs.cancel(ANN, second)
            await lab.jobs.delete(ANN, first)
            family = await lab.jobs.family(ANN, second)
            assert [(job.id, job.after) for job in family.jobs] == [(second, [first])]
            assert family.cost_s == pytest.approx(0.25), "what a deleted job cost stays"

    asyncio.run(dialogue())


def test_an_unchecked_job_is_checked_when_its_turn_comes(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await lab.qpus.create(ADMIN, QpuIn(name="q2"))
            other = await driver_of(lab, "q2", "d2")
            first = await submitted(lab, qpu="q2")
            second = await submitted(lab, after=[first])
            await driver.connect()
            await other.connect()
            claim = asyncio.create_task(driver.claim())
            await settled(lab)
            assert not (await lab.jobs.get(ANN, second)).checked
            await other.run()
            assert (await claim).job_id == second

    asyncio.run(dialogue())


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            jobs = await diamond(lab)
            await driver.run()
        async with open_lab(tmp_path) as lab:
            driver = await driver_of(lab, "q1", "d9")
            await driver.connect()
            assert [(await driver.run()).job_id for _ in range(3)] == jobs[1:]
            assert await phases(lab, *jobs) == ["completed"] * 4

    asyncio.run(dialogue())


def test_the_same_key_gives_the_same_job(tmp_path: Path) -> None:
    async def dialogue() -> tuple[JobModel, ...]:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            first = await submitted(lab)
            request = bell(after=[first])
            one, created = await lab.jobs.submit(ANN, request, idempotency_key="k")
            await lab.jobs.cancel(ANN, first)
            two, again = await lab.jobs.submit(ANN, request, idempotency_key="k")
            assert (created, again, one.id) == (True, False, two.id)
            assert two.status == "cancelled"
            assert str((await lab.jobs.family(ANN, first)).cost_s) == "0.0", "not -0.0"
            rows = lab.context.db.glance(lambda c: c.execute(select(schema.dependencies)).all())
            assert [tuple(row) for row in rows] == [(one.id, first)]
            return one, two

    asyncio.run(dialogue())


@pytest.mark.parametrize("first", ["result", "cancel"])
def test_a_child_that_races_to_finish_keeps_its_result(tmp_path: Path, first: str) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"places": 2}) as (lab, driver):
            await driver.connect()
            children = [await submitted(lab) for _ in range(2)]
            parent = await submitted(lab, children=children)
            given = [await driver.claim() for _ in children]
            for job in given:
                await driver.started(job)
            ends = [driver.deliver(given[0], busy_s=0.2), lab.jobs.cancel(ANN, parent)]
            await asyncio.gather(*(ends if first == "result" else reversed(ends)))
            assert await phases(lab, *children, parent) == ["completed", "cancelling", "cancelled"]
            await driver.report(given[1], "aborted", busy_s=0.1)
            assert await phases(lab, children[1]) == ["cancelled"]
            model = await lab.jobs.get(ANN, children[1])
            assert model.error is not None
            assert model.error.message == f"Job {parent} was cancelled, and this job with it."
            assert (await lab.jobs.family(ANN, parent)).cost_s == pytest.approx(0.3)

    asyncio.run(dialogue())


def test_why_a_job_waits_follows_those_that_complete(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            needed = [await submitted(lab) for _ in range(3)]
            last = await submitted(lab, after=needed)
            said = []
            for _ in needed:
                reason = (await lab.jobs.get(ANN, last)).reason
                assert reason is not None
                said.append(reason.message)
                await driver.run()
                await settled(lab)
            assert said == [
                f"Job {needed[0]} and 2 others have to complete first.",
                f"Job {needed[1]} and 1 other have to complete first.",
                f"Job {needed[2]} has to complete first.",
            ]

    asyncio.run(dialogue())


def test_a_qpu_stays_while_a_job_for_it_waits_for_others(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await lab.qpus.create(ADMIN, QpuIn(name="q2"))
            await driver.connect()
            first = await submitted(lab)
            second = await submitted(lab, qpu="q2", after=[first])
            with pytest.raises(Conflict, match="q2 has 1 job waiting and 0 running"):
                await lab.bench.delete_qpu(ADMIN, "q2")
            await lab.jobs.cancel(ANN, second)
            assert "q2" not in {qpu.name for qpu in (await lab.bench.delete_qpu(ADMIN, "q2")).qpus}

    asyncio.run(dialogue())

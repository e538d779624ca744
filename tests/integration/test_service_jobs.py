"""Jobs are shared, found, edited and deleted by whom they belong to, and kept as long as the lab says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, QpiError, Rejected
from qpi_jupyter.wire.events import JobEdited
from qpi_jupyter.wire.jobs import JobChange, JobModel
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.service import Lab, storage
from qpi_server.service.jobs import retention
from qpi_server.store import audit, facts
from tests.faults.lab import ADMIN, ANN, BOB, DATA, FrozenClock, ScriptedDriver, bell, open_lab, small_lab, turn

QED = frozenset({"qed"})
ANNE = replace(ANN, groups=QED | {"staff"})
BOBBY = replace(BOB, groups=QED)
EVE = Principal(name="eve", roles=frozenset({Role.USER}), groups=frozenset({"others"}))
MANAGER = Principal(name="mia", roles=frozenset({Role.MANAGER}))


async def finished(lab: Lab, driver: ScriptedDriver, person: Principal = ANNE, **request: Any) -> JobModel:
    """A completed job."""
    job, _ = await lab.jobs.submit(person, bell(**request))
    await driver.run()
    return await lab.jobs.get(person, job.id)


def readings(lab: Lab, job: str) -> list[Callable[[Principal], Awaitable[Any]]]:
    """Everything of a job that is read."""
    return [
        lambda who: lab.jobs.get(who, job),
        lambda who: lab.jobs.result(who, job),
        lambda who: lab.jobs.dataset(who, job),
        lambda who: lab.jobs.program(who, job),
        lambda who: lab.transcripts.text(who, job),
        lambda who: lab.jobs.provenance(who, job),
        lambda who: lab.events.of_job(who, job),
    ]


async def ids(lab: Lab, person: Principal, **search: Any) -> list[str]:
    return [job.id for job in (await lab.jobs.list(person, **search)).jobs]


def test_a_job_says_how_it_was_asked_to_run_and_what_its_result_came_from(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            options = OptionsIn(shots=17, seed_simulator=3)
            waiting, _ = await lab.jobs.submit(ANNE, bell(options=options))
            known = await lab.jobs.provenance(ANNE, waiting.id)
            assert (known.options, known.result) == (options, None)
            assert len(known.program_sha256) == 64
            await driver.run()
            assert (await lab.jobs.provenance(ANNE, waiting.id)).result is not None

    asyncio.run(dialogue())


def test_a_shared_job_is_read_by_its_group_and_changed_by_its_owner(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await finished(lab, driver, shared_with="qed")
            assert job.shared_with == "qed"
            for read in readings(lab, job.id):
                for person in (ANNE, BOBBY, MANAGER):
                    await read(person)
                with pytest.raises(NotFound):
                    await read(EVE)
            for change in (
                lambda who: lab.jobs.change(who, job.id, JobChange(name="mine now")),
                lambda who: lab.jobs.cancel(who, job.id),
                lambda who: lab.jobs.delete(who, job.id),
            ):
                with pytest.raises(Forbidden) as caught:
                    await change(BOBBY)
                assert caught.value.code == "not_yours"
                with pytest.raises(NotFound):
                    await change(EVE)
            assert await ids(lab, BOBBY) == []
            assert await ids(lab, BOBBY, mine=False) == await ids(lab, BOBBY, group="qed") == [job.id]
            assert await ids(lab, BOBBY, owner="ann") == [job.id]
            assert await ids(lab, EVE, mine=False) == await ids(lab, EVE, group="qed") == []

            private = await lab.jobs.change(ANNE, job.id, JobChange(shared_with=None))
            assert private.shared_with is None
            for read in readings(lab, job.id):
                with pytest.raises(NotFound):
                    await read(BOBBY)

    asyncio.run(dialogue())


def test_only_a_group_of_ones_own_is_shared_with(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await finished(lab, driver, shared_with="qed")
            for attempt in (
                lab.jobs.submit(ANNE, bell(shared_with="others")),
                lab.jobs.change(ANNE, job.id, JobChange(shared_with="others")),
            ):
                with pytest.raises(Rejected) as caught:
                    await attempt
                assert (caught.value.code, caught.value.data["field"]) == ("not_your_group", "shared_with")
            # Who has left the group keeps what was shared before, and may still rename it.
            renamed = await lab.jobs.change(ANN, job.id, JobChange(name="later", shared_with="qed"))
            assert (renamed.name, renamed.shared_with) == ("later", "qed")

    asyncio.run(dialogue())


def test_an_edit_is_told_and_searched_by(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            job, _ = await lab.jobs.submit(ANNE, bell(name="rabi", tags=["cal"], project="t1"))
            other, _ = await lab.jobs.submit(ANNE, bell())
            waiting = asyncio.create_task(lab.jobs.get(ANNE, job.id, wait_s=30, version=job.version))
            await turn()
            change = JobChange(name="Rabi 2", tags=["night", "cal", "night"], project="readout")
            edited = await lab.jobs.change(ANNE, job.id, change)
            assert (edited.name, edited.tags, edited.project) == ("Rabi 2", ["night", "cal"], "readout")
            assert (await waiting).version == edited.version > job.version
            last = (await lab.events.of_job(ANNE, job.id)).events[-1]
            assert isinstance(last, JobEdited)
            said = last.data
            assert (said.by, said.name, said.tags, said.project) == ("ann", "Rabi 2", ["night", "cal"], "readout")
            for search in (
                {"name": "RABI"}, {"tag": ["night"]}, {"tag": ["cal", "night"]}, {"project": "readout"},
                {"status": "pending", "name": "2"}, {"submitted_before": other.submitted_at, "qpu": "q1"},
            ):  # fmt: skip
                assert job.id in await ids(lab, ANNE, **search), search
            assert await ids(lab, ANNE, tag=["cal", "day"]) == await ids(lab, ANNE, project="t1") == []
            again = await lab.jobs.change(ANNE, job.id, change)
            assert again.version == edited.version, "nothing has changed"

    asyncio.run(dialogue())


def test_one_text_searches_everything_and_finds_nothing_of_others(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            own, _ = await lab.jobs.submit(EVE, bell(name="T1 scan"))
            shared, _ = await lab.jobs.submit(ANNE, bell(name="Rabi q3", tags=["night"], shared_with="qed"))
            private, _ = await lab.jobs.submit(ANNE, bell(name="Rabi q4", tags=["night"], project="readout"))
            for text, found in {
                private.id: [private], private.id[4:10]: [private], "rabi": [private, shared], "q4 RABI": [private],
                "night": [private, shared], "readout": [private], "ann rabi q1": [private, shared], "ann t1": [],
            }.items():  # fmt: skip
                assert await ids(lab, MANAGER, mine=False, text=text) == [job.id for job in found], text
                assert await ids(lab, ANNE, text=text) == [job.id for job in found], text
                assert await ids(lab, ANNE, text=text, sort="name", descending=True) == [job.id for job in found], text
                assert await ids(lab, BOBBY, mine=False, text=text) == [shared.id] * (shared in found), text
                assert await ids(lab, EVE, mine=False, text=text) == [], text
                assert await ids(lab, EVE, mine=False, text=text, sort="name") == [], text
            assert await ids(lab, EVE, mine=False, text="q1 EVE") == [own.id]
            with pytest.raises(Rejected, match="at most 10 words"):
                await lab.jobs.list(ANNE, text=" ".join("abcdefghijk"))

    asyncio.run(dialogue())


@pytest.mark.parametrize("text", ["%", "_", "' OR 1=1 --", '"; DROP TABLE jobs; --', "\\", "/"])
def test_a_search_for_odd_characters_finds_only_them(tmp_path: Path, text: str) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            await lab.jobs.submit(ANNE, bell(name="plain", tags=["plain"], project="plain"))
            odd, _ = await lab.jobs.submit(ANNE, bell(name=f"a{text}b", tags=[text], project=text))
            for search in ({"name": text}, {"tag": [text]}, {"project": text}, {"text": text}):
                assert await ids(lab, ANNE, **search) == [odd.id], search
            for search in ({"owner": text}, {"group": text}, {"qpu": text}):
                assert await ids(lab, MANAGER, **search) == [], search
            for search in ({"status": text}, {"after": text}, {"mine": True, "owner": text}):
                with pytest.raises(Rejected):
                    await lab.jobs.list(ANNE, **search)

    asyncio.run(dialogue())


def test_totals_come_from_counters(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            jobs = [await finished(lab, driver) for _ in range(3)]
            await finished(lab, driver, BOBBY)
            await lab.jobs.delete(ANNE, jobs[0].id)
            assert (await lab.jobs.list(ANNE, limit=1)).total == 2
            assert (await lab.jobs.list(ADMIN, mine=False)).total == 3
            assert (await lab.jobs.list(ADMIN, owner="bob")).total == 1
            assert (await lab.jobs.list(ANNE, name="x")).total is None
            assert (await lab.jobs.list(BOBBY, mine=False)).total is None

    asyncio.run(dialogue())


async def cleaned(lab: Lab) -> None:
    """What the lab forgets by itself, once it has found its database whole, is forgotten."""
    for names in ((storage.CHECK,), (retention.FORGET, retention.SWEEP)):
        await asyncio.gather(*[task for task in asyncio.all_tasks() if task.get_name() in names])


# Deletion


def test_a_deleted_job_is_gone_and_its_cost_stays(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, twin = await finished(lab, driver), await finished(lab, driver)
            path, _ = await lab.jobs.dataset(ANNE, job.id)
            store = lab.context.db.store
            charged = await store.read(lambda c: facts.entries(c, job.id))
            await lab.jobs.delete(ANNE, job.id)
            for read in readings(lab, job.id):
                with pytest.raises(NotFound):
                    await read(ANNE)
            for gone in (lab.jobs.delete(ANNE, job.id), lab.jobs.change(ADMIN, job.id, JobChange(name="x"))):
                with pytest.raises(NotFound):
                    await gone
            assert await ids(lab, ANNE) == [twin.id]
            assert await store.read(lambda c: facts.entries(c, job.id)) == charged != []
            # The other job has the same program and the same data.
            assert path.read_bytes() == DATA
            assert await lab.jobs.program(ANNE, twin.id)
            await lab.jobs.delete(MANAGER, twin.id)
            assert not path.exists()
            last = (await lab.events.page(ANNE)).events[-1]
            assert (last.kind, last.job_id, last.data.by) == ("job.deleted", twin.id, "mia")
            fresh = await finished(lab, driver)
            assert path.read_bytes() == DATA
            assert await lab.jobs.program(ANNE, fresh.id)

    asyncio.run(dialogue())


def test_only_a_final_job_is_deleted(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANNE, bell())

            async def refused() -> None:
                with pytest.raises(Conflict, match="cancel it first") as caught:
                    await lab.jobs.delete(ANNE, job.id)
                assert caught.value.code == "job_not_final"

            await refused()
            given = await driver.claim()
            await refused()
            await driver.started(given)
            await refused()
            await driver.deliver(given)
            await lab.jobs.delete(ANNE, job.id)

    asyncio.run(dialogue())


def test_a_late_message_about_a_deleted_job_changes_nothing(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANNE, bell())
            given = await driver.claim()
            await driver.deliver(given)
            await lab.jobs.delete(ANNE, given.job_id)
            with pytest.raises(NotFound):
                await driver.deliver(given)
            await driver.started(given)
            await driver.progress(given, 0.5)
            assert await ids(lab, ADMIN, mine=False) == []
            assert (await finished(lab, driver)).status == "completed"

    asyncio.run(dialogue())


def test_a_submit_that_is_repeated_does_not_bring_a_deleted_job_back(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANNE, bell(), idempotency_key="k")
            await driver.run()
            await lab.jobs.delete(ANNE, job.id)
            with pytest.raises(NotFound):
                await lab.jobs.submit(ANNE, bell(), idempotency_key="k")
            assert await ids(lab, ANNE) == []

    asyncio.run(dialogue())


def test_data_that_a_killed_server_left_is_freed_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await finished(lab, driver)
            path, _ = await lab.jobs.dataset(ANNE, job.id)
            with monkeypatch.context() as patch:
                # The process ends between the commit and the unlink.
                patch.setattr(lab.context.blobs, "discard", lambda *_: False)
                await lab.jobs.delete(ANNE, job.id)
            assert path.exists()
        async with open_lab(tmp_path) as lab:
            await cleaned(lab)
            assert not path.exists()

    asyncio.run(dialogue())


def test_data_that_comes_while_its_twin_is_deleted_stays(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"places": 2}) as (lab, driver):
            await driver.connect()
            for _ in range(10):
                old = await finished(lab, driver)
                new, _ = await lab.jobs.submit(ANNE, bell())
                given = await driver.claim()
                await asyncio.gather(driver.deliver(given), lab.jobs.delete(ANNE, old.id))
                path, _ = await lab.jobs.dataset(ANNE, new.id)
                assert path.read_bytes() == DATA
                await lab.jobs.delete(ANNE, new.id)

    asyncio.run(dialogue())


# Retention


def test_old_jobs_events_and_keys_are_forgotten_daily(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, retention_days=10, events_retention_days=20) as (lab, driver):
            await driver.connect()
            old = await finished(lab, driver)
            path, _ = await lab.jobs.dataset(ANNE, old.id)
            kept, _ = await lab.jobs.submit(ANNE, bell(), idempotency_key="k")
            clock.advance(9.5 * 86_400)
            await cleaned(lab)
            assert await ids(lab, ANNE) == [kept.id, old.id]
            # The key is forgotten after a week: the same request is a new one.
            again, created = await lab.jobs.submit(ANNE, bell(), idempotency_key="k")
            assert created
            clock.advance(86_400)
            await cleaned(lab)
            assert await ids(lab, ANNE) == [again.id, kept.id], "what has not ended is never old"
            assert not path.exists()
            page = await lab.events.page(ANNE)
            assert [e.data.by for e in page.events if e.kind == "job.deleted"] == ["retention"]
            first = page.events[0].seq
            clock.advance(14 * 86_400)
            await cleaned(lab)
            page = await lab.events.page(ANNE)
            assert page.events
            assert page.events[0].seq > first
            assert page.events[0].at > clock.now() - timedelta(days=21)
            clock.advance(30 * 86_400)
            await cleaned(lab)
            assert (await lab.events.page(ANNE)).events == []
            cursor = (await lab.events.page(ANNE, after=page.cursor)).cursor
            assert cursor == page.cursor, "a cursor stays good"
            new, _ = await lab.jobs.submit(ANNE, bell())
            assert [e.job_id for e in (await lab.events.page(ANNE, after=cursor)).events] == [new.id]

    asyncio.run(dialogue())


def test_without_a_setting_nothing_is_deleted(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            job = await finished(lab, driver)
            events = (await lab.events.page(ANNE)).events
            clock.advance(3650 * 86_400)
            await cleaned(lab)
            assert await ids(lab, ANNE) == [job.id]
            # the driver's lease is over meanwhile, which is told, too
            assert (await lab.events.page(ANNE)).events[: len(events)] == events

    asyncio.run(dialogue())


def test_a_manager_who_changes_somebodys_job_is_in_the_log(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await finished(lab, driver)
            await lab.jobs.change(ANNE, job.id, JobChange(name="a"))
            await lab.jobs.change(MANAGER, job.id, JobChange(project="p"))
            await lab.jobs.delete(MANAGER, job.id)
            rows = await lab.context.db.read(lambda c: audit.page(c, before=None, limit=10))
            assert [(row.who, row.action) for row in rows if row.subject == f"job:{job.id}"] == [
                ("mia", "job.delete"), ("mia", "job.edit")
            ]  # fmt: skip

    asyncio.run(dialogue())


def test_a_reader_without_the_permission_gets_nothing(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await finished(lab, driver, shared_with="qed")
            narrow = replace(BOBBY, scopes=frozenset())
            for attempt in (lab.jobs.get(narrow, job.id), lab.jobs.delete(narrow, job.id)):
                with pytest.raises(QpiError):
                    await attempt

    asyncio.run(dialogue())

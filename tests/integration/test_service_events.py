"""The event stream: durable, one's own, and gaps show."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from qpi_jupyter.core.errors import NotFound, Rejected
from qpi_jupyter.wire.events import JobSubmitted, QpuChanged, QpuData
from qpi_server.service.base import Tx, Written
from qpi_server.service.lifecycle import event_models
from qpi_server.store import facts
from tests.faults.lab import ADMIN, ANN, BOB, bell, settled, small_lab, turn


def test_each_reader_sees_a_chain_of_its_own(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            for person in (ANN, BOB, ANN):
                await lab.jobs.submit(person, bell())
                await driver.run()
            everything = (await lab.events.page(ADMIN)).events
            assert [event.seq for event in everything] == list(range(1, len(everything) + 1))
            for person in (ANN, BOB, ADMIN):
                whole = await lab.events.page(person)
                owners = {getattr(event.data, "owner", None) for event in whole.events}
                assert person is ADMIN or owners <= {person.name, None}
                chain, cursor, previous = [], 0, 0
                while True:
                    page = await lab.events.page(person, after=cursor, limit=2)
                    for event in page.events:
                        assert event.prev == previous
                        previous = event.seq
                    chain += page.events
                    cursor = page.cursor
                    if not page.events:
                        break
                assert chain == whole.events
                assert cursor == everything[-1].seq

    asyncio.run(dialogue())


def test_a_reader_waits_for_its_own_events_only(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            cursor = (await lab.events.page(ANN)).cursor
            waiting = asyncio.create_task(lab.events.page(ANN, after=cursor, wait_s=30))
            await lab.jobs.submit(BOB, bell())
            await turn()
            assert not waiting.done()
            job, _ = await lab.jobs.submit(ANN, bell())
            page = await waiting
            assert [(event.kind, event.job_id) for event in page.events] == [("job.submitted", job.id)]

    asyncio.run(dialogue())


def test_a_wait_without_news_ends_with_the_newest_cursor(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            cursor = (await lab.events.page(ANN)).cursor
            await lab.jobs.submit(BOB, bell())
            page = await lab.events.page(ANN, after=cursor, wait_s=0.01)
            assert page.events == []
            assert page.cursor > cursor

    asyncio.run(dialogue())


def test_the_newest_cursor_is_where_news_begin(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            now = await lab.events.newest()
            assert now.events == []
            job, _ = await lab.jobs.submit(ANN, bell())
            page = await lab.events.page(ANN, after=now.cursor)
            assert {event.job_id for event in page.events} == {job.id}

    asyncio.run(dialogue())


def test_a_subscription_brings_what_happens_from_now_on(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            stream = lab.events.subscribe(ANN)
            first = asyncio.create_task(anext(stream))
            await settled(lab)
            job, _ = await lab.jobs.submit(ANN, bell())
            assert (await first).job_id == job.id
            await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(dialogue())


def test_who_follows_without_a_gap_costs_no_look_at_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def news(tx: Tx) -> None:
        tx.event(QpuChanged(at=tx.at, qpu="q1", data=QpuData(status="online")))

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            cursor = (await lab.events.newest()).cursor
            streams = [lab.events.subscribe(person, after=cursor) for person in (ANN, BOB, ADMIN)]
            await lab.context.db.write(news)
            first = [await anext(stream) for stream in streams]
            reads: list[object] = []
            for name in ("events_after", "newest_event"):
                monkeypatch.setattr(facts, name, lambda *asked, **_: reads.append(asked))
            for n in range(2, 52):
                waiting = [asyncio.create_task(anext(stream)) for stream in streams]
                await turn()
                await lab.context.db.write(news)
                heard = await asyncio.gather(*waiting)
                assert [event.seq for event in heard] == [cursor + n] * 3
                assert [event.prev for event in heard] == [event.seq for event in first]
                first = heard
            assert reads == []
            monkeypatch.undo()

    asyncio.run(dialogue())


def test_what_is_told_is_what_is_on_disk_also_where_nobody_waits_for_it_any_more(tmp_path: Path) -> None:
    told: list[Written] = []

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            lab.context.commits.on(Written, told.append)
            begun = (await lab.events.newest()).cursor
            await driver.connect()
            asked = asyncio.create_task(lab.jobs.submit(ANN, bell()))

            def cut(written: Written) -> None:
                """Whoever waits for the submit goes away between its commit and its answer."""
                if isinstance(written.event, JobSubmitted):
                    asked.cancel()

            lab.context.commits.on(Written, cut)
            with pytest.raises(asyncio.CancelledError):
                await asked
            await driver.run()

            def refused(tx: Tx) -> None:
                tx.event(QpuChanged(at=tx.at, qpu="q1", data=QpuData(status="disabled")))
                raise Rejected("No.")

            with pytest.raises(Rejected):
                await lab.context.db.write(refused)
            await settled(lab)
            figures = lab.metrics
            assert figures.get_sample_value("qpi_jobs_submitted_total", {"qpu": "q1"}) == 1
            assert figures.get_sample_value("qpi_jobs_queued", {"qpu": "q1"}) == 0
            rows, *_ = await lab.context.db.read(lambda c: facts.events_after(c, begun, 100, reader=None))
            stored = event_models(rows, 0)
            assert [(w.owner, w.event.seq, w.event.kind, w.event.data) for w in told] == [
                (row.owner, row.seq, row.kind, event.data) for row, event in zip(rows, stored, strict=True)
            ]
            kinds = [row.kind for row in rows]
            assert [kinds.count(kind) for kind in ("job.submitted", "job.changed", "qpu.changed")] == [1, 3, 1]

    asyncio.run(dialogue())


def test_the_events_of_a_job_are_its_owners(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            await driver.run()
            events = (await lab.events.of_job(ANN, job.id)).events
            phases = [event.data.phase for event in events]
            assert phases == ["queued", "assigned", "running", "completed"]
            with pytest.raises(NotFound):
                await lab.events.of_job(BOB, job.id)

    asyncio.run(dialogue())


def test_lists_page_by_key_and_show_ones_own(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            ids = [(await lab.jobs.submit(ANN, bell()))[0].id for _ in range(5)]
            await lab.jobs.submit(BOB, bell())
            await driver.run()
            found, after = [], None
            while True:
                page = await lab.jobs.list(ANN, limit=2, after=after, mine=False)
                found += [job.id for job in page.jobs]
                after = page.next
                if after is None:
                    break
            assert found == ids[::-1]
            assert len((await lab.jobs.list(ADMIN, mine=False)).jobs) == 6
            assert [job.id for job in (await lab.jobs.list(ANN, status="completed")).jobs] == ids[:1]
            with pytest.raises(NotFound):
                await lab.jobs.get(BOB, ids[0])

    asyncio.run(dialogue())


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 30, ""])
def test_what_is_no_cursor_is_refused(tmp_path: Path, cursor: str) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            with pytest.raises(Rejected):
                await lab.jobs.list(ANN, after=cursor)
            assert (await lab.events.page(ANN, after=10**30)).events == []

    asyncio.run(dialogue())


def test_health_and_figures(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            await driver.run()
            health = await lab.health()
            assert (health.status, health.services.database) == ("up", "up")
            assert not health.drivers
            health = await lab.health(ANN, owner={"pid": 1})
            assert health.owner == {"pid": 1}
            assert isinstance(health.drivers, list)
            assert health.drivers[0]["qpu"] == "q1"
            text = generate_latest(lab.metrics).decode()
            assert 'qpi_jobs_ended_total{qpu="q1",status="completed"} 1.0' in text
            assert 'qpi_jobs_queued{qpu="q1"} 0.0' in text
            assert 'qpi_jobs_running{qpu="q1"} 0.0' in text

    asyncio.run(dialogue())

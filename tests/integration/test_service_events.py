"""The event stream: durable, one's own, and gaps show."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from qpi_jupyter.core.errors import NotFound, Rejected
from tests.faults.lab import ADMIN, ANN, BOB, bell, small_lab, turn


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
                owners = {event.data.get("owner") for event in whole.events}
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
            await asyncio.sleep(0.05)
            job, _ = await lab.jobs.submit(ANN, bell())
            assert (await first).job_id == job.id
            await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(dialogue())


def test_the_events_of_a_job_are_its_owners(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            await driver.run()
            events = (await lab.events.of_job(ANN, job.id)).events
            phases = [event.data["phase"] for event in events]
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

"""The planner's view is bounded: a long queue of others costs a pick nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict
from sqlalchemy import Connection, insert, update

from qpi_jupyter.core.bookings import BookingMode
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.planner import AHEAD, Activity, Policy, View, next_job
from qpi_jupyter.wire.jobs import JobLabels
from qpi_server.store import Store, bench, jobs, schema, usage
from qpi_server.store.bench import QpuRow
from qpi_server.store.jobs import JobRecord
from qpi_server.store.view import load_view
from tests.support import stores

NOW = datetime(2030, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("each_store")
NO_LABELS = asdict(JobLabels())


def add_job(connection: Connection, number: int, owner: str, **fields: Any) -> None:
    job = Job(id=f"job-{owner}-{number}", owner=owner, estimate_s=1.0, **{"qpu": "q1", "upper_s": 60.0, **fields})
    row = JobRecord(
        job=job, labels=NO_LABELS, format="qpy", program_sha256="p", num_circuits=1, shots=1, submitted_at=NOW
    )
    jobs.add(connection, row, b"{}")


def lab(connection: Connection) -> None:
    bench.add_qpu(connection, QpuRow(name="q1", kind="pool", created_at=NOW))
    jobs.add_program(connection, "p", b"", NOW)


def add_booking(connection: Connection, by: str, start_at: datetime, end_at: datetime, **fields: Any) -> None:
    row = {"mode": "priority", "status": "booked", "invited": [], "created_at": NOW, "changed_at": NOW, **fields}
    values = {"id": f"{by}-{start_at}", "qpu": "q1", "booked_by": by, "start_at": start_at, "end_at": end_at, **row}
    connection.execute(insert(schema.bookings), values)


def with_store(folder: Path, *units: Callable[[Connection], None], look: Callable[[Connection], Any]) -> Any:
    async def dialogue(store: Store) -> Any:
        await asyncio.gather(*(store.write(unit) for unit in (lab, *units)))
        return await store.read(look)

    return stores.with_store(folder, dialogue)


def pick(connection: Connection) -> View:
    return load_view(connection, "q1", NOW, Policy(), online=True)[0]


def test_damaged_jobs_at_the_head_of_a_queue_hold_up_nobody(tmp_path: Path) -> None:
    def several(connection: Connection) -> None:
        for number in range(8):
            add_job(connection, number, "ann")
        damaged = schema.jobs.c.id.in_([f"job-ann-{number}" for number in range(5)])
        connection.execute(update(schema.jobs).where(damaged).values(retry="no such policy"))

    def look(connection: Connection) -> str | None:
        job = next_job(pick(connection), NOW)
        return job.id if job is not None else None

    assert with_store(tmp_path, several, look=look) == "job-ann-5"


def test_counting_ahead_and_the_counters_agree_with_the_rows(tmp_path: Path) -> None:
    def some(connection: Connection) -> None:
        for number in range(20):
            add_job(connection, number, "ann", priority=number % 2)

    def look(connection: Connection) -> tuple[Any, Any]:
        last = jobs.find(connection, "job-ann-18")
        assert last is not None
        row = bench.qpu(connection, "q1")
        assert row is not None
        return jobs.ahead(connection, last.job, bench.standing(connection, "q1")), (
            row.queued,
            row.queued_s,
            row.running,
        )

    assert with_store(tmp_path, some, look=look) == ((19, 19.0), (20, 20.0, 0))


def test_every_job_counts_what_the_planner_would_take_first(tmp_path: Path) -> None:
    levels = [number % 3 - 1 for number in range(3 * jobs.NEAR_END)]

    def some(connection: Connection) -> None:
        for number, priority in enumerate(levels):
            add_job(connection, number, "ann", priority=priority)

    def look(connection: Connection) -> list[tuple[int, float]]:
        found = [jobs.find(connection, f"job-ann-{number}") for number in range(len(levels))]
        standing = bench.standing(connection, "q1")
        return [jobs.ahead(connection, row.job, standing) for row in found if row is not None]

    order = sorted(range(len(levels)), key=lambda number: (-levels[number], number))
    assert with_store(tmp_path, some, look=look) == [(order.index(n), order.index(n)) for n in range(len(levels))]


def test_a_job_behind_very_many_is_taken_to_be_the_last(tmp_path: Path) -> None:
    def many(connection: Connection) -> None:
        for number in range(jobs.COUNT_LIMIT + 10):
            add_job(connection, number, "ann")

    def look(connection: Connection) -> list[int]:
        found = [jobs.find(connection, f"job-ann-{n}") for n in (5, jobs.COUNT_LIMIT + 5)]
        standing = bench.standing(connection, "q1")
        return [jobs.ahead(connection, row.job, standing)[0] for row in found if row is not None]

    assert with_store(tmp_path, many, look=look) == [5, jobs.COUNT_LIMIT + 9]


def test_with_fair_share_everybody_has_a_job_in_the_view(tmp_path: Path) -> None:
    def crowd(connection: Connection) -> None:
        for number in range(100):
            add_job(connection, number, "ann")
        add_job(connection, 0, "bob")
        add_job(connection, 100, "ann", state=JobState.RUNNING)
        usage.add(connection, "q1", "ann", NOW - timedelta(hours=30), 5.0)
        usage.add(connection, "q1", "ann", NOW, 3.0)
        usage.add(connection, "q1", "ann", NOW, 5.0)

    def look(connection: Connection) -> str | None:
        view, _ = load_view(connection, "q1", NOW, Policy(fair_share=True), online=True)
        assert view.shares == {"ann": 9.0}
        job = next_job(view, NOW)
        return job.owner if job else None

    assert with_store(tmp_path, crowd, look=look) == "bob"


@pytest.mark.parametrize("mode", [BookingMode.EXCLUSIVE, BookingMode.PRIORITY])
def test_the_bookers_job_is_found_behind_a_long_queue(tmp_path: Path, mode: BookingMode) -> None:
    def crowd(connection: Connection) -> None:
        for number in range(100):
            add_job(connection, number, "bob", priority=5)
        add_job(connection, 0, "ann")

    hour = timedelta(hours=1)

    def book(connection: Connection) -> None:
        add_booking(connection, "zoe", NOW - 2 * hour, NOW + hour, status="released")
        add_booking(connection, "ann", NOW - hour, NOW + hour, mode=mode)

    def look(connection: Connection) -> str | None:
        job = next_job(pick(connection), NOW)
        return job.owner if job else None

    assert with_store(tmp_path, crowd, book, look=look) == "ann"


def test_a_short_job_is_found_for_the_time_before_a_booking(tmp_path: Path) -> None:
    def crowd(connection: Connection) -> None:
        for number in range(100):
            add_job(connection, number, "bob", priority=5)
        add_job(connection, 0, "ann", upper_s=5.0)

    soon, later = NOW + timedelta(seconds=30), NOW + timedelta(hours=1)

    def book(connection: Connection) -> None:
        add_booking(connection, "eve", soon, later)

    def look(connection: Connection) -> str | None:
        job = next_job(pick(connection), NOW)
        return job.owner if job else None

    assert with_store(tmp_path, crowd, book, look=look) == "ann"


def test_a_view_brings_the_next_bookings_in_order_and_no_others(tmp_path: Path) -> None:
    minute = timedelta(minutes=1)

    def book(connection: Connection) -> None:
        for n in reversed(range(30)):
            add_booking(connection, f"user{n}", NOW + n * minute, NOW + (n + 1) * minute)
        add_booking(connection, "past", NOW - minute, NOW)
        add_booking(connection, "gone", NOW + 2 * minute, NOW + 3 * minute, status="deleted")

    view = with_store(tmp_path, book, look=pick)
    assert view.booking.booked_by == "user0"
    assert [b.booked_by for b in view.ahead] == [f"user{n}" for n in range(1, AHEAD + 1)]


@pytest.mark.parametrize(
    ("fields", "activity"),
    [
        ({}, Activity(open_jobs=1)),
        ({"checked": False}, Activity(open_jobs=1)),
        ({"state": JobState.RUNNING}, Activity(open_jobs=1)),
        ({"state": JobState.COMPLETED}, Activity(last_end_at=NOW - timedelta(seconds=2))),
        ({"qpu": "q2"}, Activity()),
    ],
)
def test_what_the_bookers_people_do_is_seen(tmp_path: Path, fields: dict[str, Any], activity: Activity) -> None:
    def work(connection: Connection) -> None:
        bench.add_qpu(connection, QpuRow(name="q2", kind="pool", created_at=NOW))
        add_booking(connection, "ann", NOW - timedelta(hours=1), NOW + timedelta(hours=1), invited=["bob"])
        add_job(connection, 0, "bob", **fields)
        add_job(connection, 1, "eve")
        over = schema.jobs.c.state == "completed"
        connection.execute(update(schema.jobs).where(over).values(ended_at=NOW - timedelta(seconds=2)))

    assert with_store(tmp_path, work, look=pick).activity == activity

"""The planner's view is bounded: a long queue of others costs a pick nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from qpi_jupyter.core.accounting import Entry, EntryKind
from qpi_jupyter.core.bookings import Booking, BookingMode
from qpi_jupyter.core.jobs import Job
from qpi_jupyter.core.planner import Policy, View, next_job
from qpi_server.store import SqliteStore, bench, facts, jobs
from qpi_server.store.bench import QpuRow
from qpi_server.store.jobs import JobRecord
from qpi_server.store.view import load_view

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def add_job(connection: Connection, number: int, owner: str, **fields: Any) -> None:
    job = Job(id=f"job-{owner}-{number}", owner=owner, qpu="q1", estimate_s=1.0, **{"upper_s": 60.0, **fields})
    row = JobRecord(job=job, format="qpy", program_sha256="p", num_circuits=1, shots=1, submitted_at=NOW)
    jobs.add(connection, row, b"{}")


def lab(connection: Connection) -> None:
    bench.add_qpu(connection, QpuRow(name="q1", kind="pool", created_at=NOW))
    jobs.add_program(connection, "p", b"", NOW)


def with_store(folder: Path, *units: Callable[[Connection], None], look: Callable[[Connection], Any]) -> Any:
    async def run() -> Any:
        store = SqliteStore(folder / "lab.sqlite3")
        try:
            await asyncio.gather(*(store.write(unit) for unit in (lab, *units)))
            return await store.read(look)
        finally:
            await store.close()

    return asyncio.run(run())


def steps(work: Callable[[Connection], Any]) -> Callable[[Connection], int]:
    """How many steps SQLite's machine needs for ``work``, in tens."""

    def count(connection: Connection) -> int:
        driver = connection.connection.driver_connection
        assert driver is not None
        taken = 0

        def tick() -> int:
            nonlocal taken
            taken += 1
            return 0

        driver.set_progress_handler(tick, 10)
        work(connection)
        driver.set_progress_handler(None, 0)
        return taken

    return count


def pick(connection: Connection) -> View:
    return load_view(connection, "q1", NOW, Policy(), online=True)[0]


def test_a_long_queue_of_others_costs_a_pick_nothing(tmp_path: Path) -> None:
    def others(connection: Connection) -> None:
        for number in range(5_000):
            add_job(connection, number, f"user{number % 50}", priority=number % 3)

    def mine(connection: Connection) -> None:
        add_job(connection, 0, "ann", priority=10)

    def look(connection: Connection) -> tuple[str, int]:
        job = next_job(pick(connection), NOW)
        assert job is not None
        return job.owner, steps(pick)(connection)

    (tmp_path / "short").mkdir()
    (tmp_path / "long").mkdir()
    owner, short = with_store(tmp_path / "short", mine, look=look)
    assert owner == "ann"
    owner, long = with_store(tmp_path / "long", others, mine, look=look)
    assert owner == "ann"
    assert long <= 2 * short


def test_counting_ahead_and_the_counters_agree_with_the_rows(tmp_path: Path) -> None:
    def some(connection: Connection) -> None:
        for number in range(20):
            add_job(connection, number, "ann", priority=number % 2)

    def look(connection: Connection) -> tuple[Any, Any]:
        last = jobs.find(connection, "job-ann-18")
        assert last is not None
        row = bench.qpu(connection, "q1")
        assert row is not None
        return jobs.ahead(connection, last.job), (row.queued, row.queued_s, row.running)

    assert with_store(tmp_path, some, look=look) == ((19, 19.0), (20, 20.0, 0))


def test_a_job_behind_very_many_is_taken_to_be_the_last(tmp_path: Path) -> None:
    def many(connection: Connection) -> None:
        for number in range(jobs.COUNT_LIMIT + 10):
            add_job(connection, number, "ann")

    def look(connection: Connection) -> list[int]:
        found = [jobs.find(connection, f"job-ann-{n}") for n in (5, jobs.COUNT_LIMIT + 5)]
        return [jobs.ahead(connection, row.job)[0] for row in found if row is not None]

    assert with_store(tmp_path, many, look=look) == [5, jobs.COUNT_LIMIT + 9]


def test_with_fair_share_everybody_has_a_job_in_the_view(tmp_path: Path) -> None:
    def crowd(connection: Connection) -> None:
        for number in range(100):
            add_job(connection, number, "ann")
        add_job(connection, 0, "bob")
        spent = Entry(kind=EntryKind.SETTLE, account="group:qed", person="ann", amount_s=-9.0, at=NOW, qpu="q1")
        facts.add_entry(connection, replace(spent, job_id="x", attempt=1))

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
    booking = Booking(id="b", qpu="q1", booked_by="ann", start_at=NOW - hour, end_at=NOW + hour, mode=mode)

    def look(connection: Connection) -> str | None:
        view, _ = load_view(connection, "q1", NOW, Policy(), online=True, booking=booking)
        job = next_job(view, NOW)
        return job.owner if job else None

    assert with_store(tmp_path, crowd, look=look) == "ann"


def test_a_short_job_is_found_for_the_time_before_a_booking(tmp_path: Path) -> None:
    def crowd(connection: Connection) -> None:
        for number in range(100):
            add_job(connection, number, "bob", priority=5)
        add_job(connection, 0, "ann", upper_s=5.0)

    soon, later = NOW + timedelta(seconds=30), NOW + timedelta(hours=1)
    ahead = Booking(id="b", qpu="q1", booked_by="eve", start_at=soon, end_at=later)

    def look(connection: Connection) -> str | None:
        view, _ = load_view(connection, "q1", NOW, Policy(), online=True, next_booking=ahead)
        job = next_job(view, NOW)
        return job.owner if job else None

    assert with_store(tmp_path, crowd, look=look) == "ann"

"""What a replay runs: the jobs and bookings of a lab's own past, or of an invented month."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, select

from qpi_jupyter.core import Booking, BookingMode, Conflict, Job, TooLarge, counted
from qpi_server.store import SCHEMA_VERSION, Backend, schema_version
from qpi_server.store.schema import bookings, drivers, jobs, qpus

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
"""The invented month's first midnight, a Monday."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceJob:
    """A job as it was submitted, and how long it keeps the QPU busy."""

    job: Job
    busy_s: float

    @property
    def submitted_at(self) -> datetime:
        assert self.job.submitted_at is not None
        return self.job.submitted_at


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceBooking:
    """A booking, and when it became known."""

    booking: Booking
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What happened from outside: who asked for what, when. ``qpus`` maps a name to its places."""

    qpus: dict[str, int]
    jobs: list[TraceJob] = field(default_factory=list)
    bookings: list[TraceBooking] = field(default_factory=list)


def of_lab(backend: Backend, since: datetime, until: datetime, *, at_most: int | None = None) -> Trace:
    """What was submitted to a lab between two moments, read and not changed; jobs that never ran are left out.

    Raises
    ------
    NotFound
        there is no lab.
    Conflict
        another version of this software wrote it.
    TooLarge
        there are more than ``at_most`` jobs.
    """
    with backend.reading() as connection:
        if (found := schema_version(connection)) != SCHEMA_VERSION:
            older = "start a lab of this version on it first"
            remedy = older if found < SCHEMA_VERSION else "replay it with the newer version that wrote it"
            raise Conflict(f"The lab's database has schema {found}, not {SCHEMA_VERSION}: {remedy}.")
        jobs_then = _ran(since, until)
        if at_most is not None:
            _check_count(connection, jobs_then, at_most)
        return Trace(
            qpus=dict(_places(connection)),
            jobs=list(_past_jobs(connection, jobs_then)),
            bookings=list(_past_bookings(connection, since, until)),
        )


def _places(connection: Connection) -> Iterator[tuple[str, int]]:
    places = func.coalesce(func.sum(drivers.c.places), 1)
    on = (drivers.c.qpu == qpus.c.name) & drivers.c.monitor.is_(False)
    for name, kind, count in connection.execute(
        select(qpus.c.name, qpus.c.kind, places).outerjoin(drivers, on).group_by(qpus.c.name, qpus.c.kind)
    ):
        yield name, max(int(count), 1) if kind == "pool" else 1


def _ran(since: datetime, until: datetime) -> ColumnElement[bool]:
    there = (jobs.c.qpu.is_not(None), jobs.c.started_at.is_not(None), jobs.c.ended_at.is_not(None))
    return and_(*there, jobs.c.submitted_at >= since, jobs.c.submitted_at < until)


def _check_count(connection: Connection, which: ColumnElement[bool], at_most: int) -> None:
    count = connection.execute(select(func.count()).select_from(jobs).where(which)).scalar_one()
    if count > at_most:
        raise TooLarge(
            f"{counted(count, 'job')} ran in that time; {at_most:,} can be replayed here. Choose a shorter time, or "
            "use `jupyter qpi replay` on the lab's own machine.",
            code="too_many_jobs", jobs=count,
        )  # fmt: skip


def _past_jobs(connection: Connection, which: ColumnElement[bool]) -> Iterator[TraceJob]:
    columns = (
        jobs.c.seq, jobs.c.id, jobs.c.owner, jobs.c.qpu, jobs.c.priority, jobs.c.estimate_s, jobs.c.upper_s,
        jobs.c.submitted_at, jobs.c.started_at, jobs.c.ended_at, jobs.c.busy_s,
    )  # fmt: skip
    for row in connection.execute(select(*columns).where(which).order_by(jobs.c.seq)):
        held_s = (row.ended_at - row.started_at).total_seconds()
        yield TraceJob(job=_job(row), busy_s=max(held_s, row.busy_s or 0.0, 0.0))


def _job(row: Any) -> Job:
    return Job(
        id=row.id, owner=row.owner, qpu=row.qpu, priority=row.priority, seq=row.seq, estimate_s=row.estimate_s,
        upper_s=row.upper_s, submitted_at=row.submitted_at,
    )  # fmt: skip


def _past_bookings(connection: Connection, since: datetime, until: datetime) -> Iterator[TraceBooking]:
    """Those that were not deleted; what was given back by its holder ends where it was given back."""
    kept = (bookings.c.status != "deleted", bookings.c.end_at > since, bookings.c.start_at < until)
    for row in connection.execute(select(bookings).where(*kept)):
        end_at = min(row.end_at, row.changed_at) if row.status == "released" else row.end_at
        if end_at <= row.start_at:
            continue
        booking = Booking(
            id=row.id, qpu=row.qpu, booked_by=row.booked_by, start_at=row.start_at, end_at=end_at,
            mode=BookingMode(row.mode), invited=frozenset(row.invited), no_show_s=row.no_show_s,
        )  # fmt: skip
        yield TraceBooking(booking=booking, created_at=row.created_at)


# --- an invented month -----------------------------------------------------------------------------------------------


def synthetic(
    seed: int = 1, *, users: int = 50, qpus: int = 4, jobs: int = 60_000, bookings: int = 800, days: int = 30
) -> Trace:
    """A month of a busy lab: office hours, a few heavy users, sweeps that come all at once, bookings by day."""
    dice = random.Random(seed)
    names = [f"user{n:02d}" for n in range(users)]
    weights = [1 / (n + 1) ** 0.8 for n in range(users)]
    benches = {f"q{n + 1}": 1 for n in range(qpus)}
    booked = [
        booking
        for n, qpu in enumerate(benches)
        for booking in _invented_bookings(dice, qpu, names, bookings // qpus + (n < bookings % qpus), days)
    ]
    asked = [ask for item in booked for ask in _asked_in_booking(dice, item)]
    asked = asked[: jobs // 2]
    while len(asked) < jobs:
        asked += _sweep(dice, dice.choices(names, weights)[0], list(benches), days)[: jobs - len(asked)]
    asked.sort(key=lambda ask: ask[0])
    return Trace(qpus=benches, jobs=[_invented_job(dice, seq, *ask) for seq, ask in enumerate(asked)], bookings=booked)


def _invented_bookings(
    dice: random.Random, qpu: str, names: list[str], count: int, days: int
) -> Iterator[TraceBooking]:
    """Whole hours between 8 and 20, so that no two overlap; one in twenty is for maintenance."""
    hours = [(day, hour) for day in range(days) for hour in range(8, 20)]
    for day, hour in sorted(dice.sample(hours, min(count, len(hours)))):
        start = BEGIN + timedelta(days=day, hours=hour)
        mode = dice.choices(list(BookingMode), (15, 80, 5))[0]
        booking = Booking(
            id=f"{qpu}-{day:02d}-{hour:02d}", qpu=qpu, booked_by=dice.choice(names), start_at=start,
            end_at=start + timedelta(hours=1), mode=mode,
            no_show_s=900.0 if mode is not BookingMode.MAINTENANCE else None,
        )  # fmt: skip
        yield TraceBooking(booking=booking, created_at=start - timedelta(days=7))


def _asked_in_booking(dice: random.Random, item: TraceBooking) -> Iterator[tuple[datetime, str, str, float]]:
    """A holder works for part of the hour, one short job after the other; one in ten never comes."""
    booking = item.booking
    if booking.mode is BookingMode.MAINTENANCE or dice.random() < 0.1:
        return
    at = booking.start_at + timedelta(seconds=dice.uniform(0, 600))
    until = booking.start_at + timedelta(seconds=dice.uniform(1200, 3500))
    while at < until:
        busy_s = dice.uniform(5, 60)
        yield at, booking.booked_by, booking.qpu, busy_s
        at += timedelta(seconds=busy_s + dice.expovariate(1 / 30))


def _sweep(dice: random.Random, owner: str, benches: list[str], days: int) -> list[tuple[datetime, str, str, float]]:
    """Some jobs at once, alike; mostly few, sometimes many; more by day than by night."""
    day, hour = dice.randrange(days), dice.choices(range(24), [1] * 8 + [4] * 11 + [2] * 5)[0]
    at = BEGIN + timedelta(days=day, hours=hour, seconds=dice.uniform(0, 3600))
    count = dice.choices((1, 3, 10, 40), (50, 25, 18, 7))[0]
    typical = min(dice.lognormvariate(3.9, 1.0), 1500.0)
    qpu = dice.choice(benches)
    return [(at + timedelta(seconds=n), owner, qpu, typical * dice.uniform(0.8, 1.2)) for n in range(count)]


def _invented_job(dice: random.Random, seq: int, at: datetime, owner: str, qpu: str, busy_s: float) -> TraceJob:
    estimate_s = busy_s * dice.lognormvariate(0.0, 0.25)
    job = Job(
        id=f"job{seq:05d}", owner=owner, qpu=qpu, seq=seq, submitted_at=at, estimate_s=estimate_s,
        upper_s=max(2 * estimate_s, 1.1 * busy_s),
    )  # fmt: skip
    return TraceJob(job=job, busy_s=busy_s)

"""A replay looks at its queue as the lab looks at the database: the same view, the same choice."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from qpi_jupyter.core.bookings import Booking, BookingMode
from qpi_jupyter.core.jobs import Job
from qpi_jupyter.core.planner import Policy, View, next_job
from qpi_server.replay.simulate import Lane
from qpi_server.replay.trace import Trace, TraceBooking
from qpi_server.store import Store, bench, jobs, schema
from qpi_server.store.bench import QpuRow
from qpi_server.store.jobs import COLUMNS, JobRecord, record
from qpi_server.store.view import load_view
from tests.contract.test_view import NO_LABELS
from tests.support.stores import with_store

NOW = datetime(2030, 1, 1, tzinfo=UTC)
PEOPLE = [f"user{n}" for n in range(6)]


def calendar(dice: random.Random) -> list[Booking]:
    """Bookings that do not overlap, the first of them on now or not."""
    start = NOW - timedelta(minutes=dice.choice((30, -5)))
    found = []
    for n in range(dice.randrange(4)):
        mode = dice.choice((BookingMode.PRIORITY, BookingMode.EXCLUSIVE))
        end = start + timedelta(hours=1)
        booking = Booking(
            id=f"b{n}", qpu="q1", booked_by=dice.choice(PEOPLE), start_at=start, end_at=end, mode=mode,
            invited=frozenset(dice.sample(PEOPLE, 1)),
        )  # fmt: skip
        found.append(booking)
        start = end + timedelta(minutes=dice.choice((0, 1, 30)))
    return found


def fill(connection: Connection, dice: random.Random, bookings: list[Booking]) -> None:
    bench.add_qpu(connection, QpuRow(name="q1", kind="device", created_at=NOW))
    jobs.add_program(connection, "p", b"", NOW)
    for n in range(dice.choice((1, 5, 150))):
        job = Job(
            id=f"job{n}", owner=dice.choice(PEOPLE), qpu="q1", priority=dice.choice((0, 0, 0, 1)), estimate_s=1.0,
            upper_s=dice.choice((5.0, 29.0, 40.0, 400.0, 4000.0)),
        )  # fmt: skip
        row = JobRecord(
            job=job, labels=NO_LABELS, format="qpy", program_sha256="p", num_circuits=1, shots=1, submitted_at=NOW
        )
        jobs.add(connection, row, b"{}")
    for booking in bookings:
        values = {
            "id": booking.id, "qpu": "q1", "booked_by": booking.booked_by, "start_at": booking.start_at,
            "end_at": booking.end_at, "mode": booking.mode.value, "status": "booked",
            "invited": sorted(booking.invited), "created_at": NOW, "changed_at": NOW,
        }  # fmt: skip
        connection.execute(insert(schema.bookings), values)


def of_replay(queued: list[Job], bookings: list[Booking], policy: Policy) -> View:
    known = [TraceBooking(booking=booking, created_at=NOW - timedelta(days=1)) for booking in bookings]
    lane = Lane("q1", 1, policy, Trace(qpus={"q1": 1}, bookings=known))
    for job in queued:
        lane.submit(job, NOW)
    return lane.view(NOW)


@pytest.mark.usefixtures("each_store")
@pytest.mark.parametrize("fair_share", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_view_of_a_replay_is_that_of_the_store(tmp_path: Path, seed: int, fair_share: bool) -> None:
    dice = random.Random(seed)
    bookings, policy = calendar(dice), Policy(fair_share=fair_share)

    def look(connection: Connection) -> tuple[View, list[Job]]:
        rows = connection.execute(select(*COLUMNS).where(schema.jobs.c.state == "queued"))
        return load_view(connection, "q1", NOW, policy, online=True)[0], [record(row).job for row in rows]

    async def dialogue(store: Store) -> tuple[View, list[Job]]:
        await store.write(lambda connection: fill(connection, dice, bookings))
        return await store.read(look)

    theirs, queued = with_store(tmp_path, dialogue)
    ours = of_replay(queued, bookings, policy)
    assert {job.id for job in ours.jobs} == {job.id for job in theirs.jobs}
    assert (ours.booking, ours.ahead) == (theirs.booking, theirs.ahead)
    assert next_job(ours, NOW) == next_job(theirs, NOW)

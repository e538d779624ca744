"""Loads the planner's view: bounded, every row from an index, however long the queue is."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, func, select

from qpi_jupyter.core.bookings import Booking
from qpi_jupyter.core.jobs import JobState
from qpi_jupyter.core.planner import HEAD, VIEW_LIMIT, Policy, Session, View

from . import bench, facts
from .jobs import COLUMNS, JobRecord, record
from .schema import jobs

_WAITING = (jobs.c.qpu == bindparam("on"), jobs.c.state == JobState.QUEUED.value, jobs.c.checked.is_(True))
_ORDER = (jobs.c.priority.desc(), jobs.c.seq)
_FIRST = select(*COLUMNS).where(*_WAITING).order_by(*_ORDER).limit(bindparam("count"))
_OF_PERSON = (
    select(*COLUMNS)
    .where(*_WAITING, jobs.c.owner == bindparam("person"), jobs.c.priority <= bindparam("top"))
    .order_by(*_ORDER)
    .limit(HEAD)
)
_NEXT_PERSON = select(func.min(jobs.c.owner)).where(*_WAITING, jobs.c.owner > bindparam("person"))
_SHORT = select(*COLUMNS).where(*_WAITING, jobs.c.upper_s <= bindparam("longest")).order_by(*_ORDER).limit(HEAD)
HIGHEST = 10


def load_view(
    connection: Connection,
    qpu: str,
    now: datetime,
    policy: Policy,
    *,
    online: bool,
    want: int = 1,
    booking: Booking | None = None,
    next_booking: Booking | None = None,
    session: Session | None = None,
) -> tuple[View, dict[str, JobRecord]]:
    """What the planner may look at, and the rows behind its jobs, by id.

    Without bookings, sessions or shares the queue's own order decides, and its first ``want`` jobs are enough; one
    more shows whether there are more. Otherwise each person's first jobs come too, and the first that are short
    enough to fit.
    """
    enabled, maintenance, hold = bench.flags(connection, qpu)
    view = View(
        qpu=qpu,
        online=online,
        enabled=enabled,
        maintenance=maintenance,
        hold=hold,
        booking=booking,
        next_booking=next_booking,
        session=session,
        policy=policy,
    )
    rows = {row.id: record(row) for row in connection.execute(_FIRST, {"on": qpu, "count": want + 1})}
    if policy.fair_share:
        since = now - timedelta(seconds=policy.fair_share_window_s)
        view = replace(view, shares=facts.shares(connection, qpu, since))
    if policy.fair_share or booking is not None or session is not None:
        rows |= _heads(connection, qpu)
    for longest in _fitting(now, policy, booking, next_booking):
        rows |= {row.id: record(row) for row in connection.execute(_SHORT, {"on": qpu, "longest": longest})}
    return replace(view, jobs=tuple(row.job for row in rows.values())), rows


def _heads(connection: Connection, qpu: str) -> dict[str, JobRecord]:
    """The first jobs of each person, person after person along the index, up to the view's limit."""
    rows: dict[str, JobRecord] = {}
    person = connection.execute(_NEXT_PERSON, {"on": qpu, "person": ""}).scalar()
    while person is not None and len(rows) < VIEW_LIMIT - HEAD:
        found = connection.execute(_OF_PERSON, {"on": qpu, "person": person, "top": HIGHEST})
        rows |= {row.id: record(row) for row in found}
        person = connection.execute(_NEXT_PERSON, {"on": qpu, "person": person}).scalar()
    return rows


def _fitting(now: datetime, policy: Policy, booking: Booking | None, next_booking: Booking | None) -> list[float]:
    """The bounds (seconds) that jobs may have to stay for."""
    bounds = []
    if booking is not None:
        bounds.append(policy.backfill_max_s)
    if next_booking is not None:
        bounds.append((next_booking.start_at - now).total_seconds())
    return bounds

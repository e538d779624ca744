"""Loads the planner's view: bounded, every row from an index, however long the queue is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice

from sqlalchemy import Connection, bindparam, func, select, update

from qpi_jupyter.core import AHEAD, HEAD, VIEW_LIMIT, Activity, Booking, BookingMode, JobState, Policy, View, times
from qpi_jupyter.core.bookings import active

from . import bench, qpu_sessions, usage
from .bookings import booking_of
from .jobs import COLUMNS, JobRecord, record
from .prepared import Prepared
from .rows import SPARE, each
from .schema import bookings, jobs

_WAITING = (jobs.c.qpu == bindparam("on"), jobs.c.state == JobState.QUEUED.value, jobs.c.checked.is_(True))
_ORDER = (jobs.c.priority.desc(), jobs.c.seq)
_FIRST = Prepared(select(*COLUMNS).where(*_WAITING).order_by(*_ORDER).limit(bindparam("count")))
_OF_PERSON = Prepared(
    select(*COLUMNS)
    .where(*_WAITING, jobs.c.owner == bindparam("person"), jobs.c.priority <= bindparam("top"))
    .order_by(*_ORDER)
    .limit(HEAD)
)
_NEXT_PERSON = Prepared(select(func.min(jobs.c.owner)).where(*_WAITING, jobs.c.owner > bindparam("person")))
_SHORT = Prepared(
    select(*COLUMNS).where(*_WAITING, jobs.c.upper_s <= bindparam("longest")).order_by(*_ORDER).limit(HEAD)
)
HIGHEST = 10
_CALENDAR = Prepared(
    select(bookings)
    .where(bookings.c.qpu == bindparam("on"), bookings.c.status == "booked", bookings.c.end_at > bindparam("now"))
    .order_by(bookings.c.end_at)
    .limit(AHEAD + 1)
)
_NOT_FINAL = [state.value for state in JobState if not state.final]
_OPEN_OF = (
    select(jobs.c.seq)
    .where(
        jobs.c.qpu == bindparam("on"),
        jobs.c.state.in_(_NOT_FINAL),
        jobs.c.checked.in_([True, False]),
        jobs.c.owner.in_(bindparam("who", expanding=True)),
    )
    .limit(1)
)
_LAST_END_OF = select(func.max(jobs.c.ended_at)).where(
    jobs.c.ended_at > bindparam("since"),
    jobs.c.deleted_at.is_(None),
    # The time is what narrows it: a column with nothing added to it would tempt the database to another index.
    jobs.c.qpu.concat("") == bindparam("on"),
    jobs.c.owner.concat("").in_(bindparam("who", expanding=True)),
)
_USE = update(bookings).where(bookings.c.id == bindparam("booking")).values(used_at=bindparam("at"))


def load_view(
    connection: Connection, qpu: str, now: datetime, policy: Policy, *, online: bool, want: int = 1
) -> tuple[View, dict[str, JobRecord]]:
    """What the planner may look at, and the rows behind its jobs, by id.

    Without bookings, sessions or shares the queue's own order decides, and its first ``want`` jobs are enough; one
    more shows whether there are more. Otherwise each person's first jobs come too, and the first that are short
    enough to fit.
    """
    view = load_rules(connection, qpu, now, policy, online=online)
    first = each(_FIRST.each(connection, on=qpu, count=want + 1 + SPARE), record)
    rows = {found.id: found for found in islice(first, want + 1)}
    if policy.fair_share:
        since = times.after(now, -policy.fair_share_window_s)
        view = replace(view, shares=usage.shares(connection, qpu, since))
    if policy.fair_share or view.booking is not None or view.session is not None:
        rows |= _heads(connection, qpu)
    elif view.ahead:
        rows |= _first_of(connection, qpu, people(view.ahead[0]))
    for longest in _fitting(view, now):
        rows |= {found.id: found for found in each(_SHORT.each(connection, on=qpu, longest=longest), record)}
    return replace(view, jobs=tuple(row.job for row in rows.values())), rows


def load_rules(
    connection: Connection,
    qpu: str,
    now: datetime,
    policy: Policy,
    *,
    online: bool,
    standing: bench.Standing | None = None,
) -> View:
    """The view without jobs: how the QPU is (its ``standing``, where that was read before), and whose time it is now
    and next."""
    enabled, maintenance, hold = (standing or bench.standing(connection, qpu)).switches
    booking, ahead = calendar(connection, qpu, now)
    session = qpu_sessions.held(connection, qpu, now)
    activity = Activity()
    if booking is not None and booking.mode is BookingMode.PRIORITY:
        since = max(booking.start_at, times.after(now, -policy.idle_threshold_s))
        activity = activity_of(connection, qpu, people(booking), since)
    return View(
        qpu=qpu,
        online=online,
        enabled=enabled,
        maintenance=maintenance,
        hold=hold,
        booking=booking,
        ahead=ahead,
        session=session,
        activity=activity,
        policy=policy,
    )


def calendar(connection: Connection, qpu: str, now: datetime) -> tuple[Booking | None, tuple[Booking, ...]]:
    """The booking that is on, and the next ones by their start."""
    rows = _CALENDAR.each(connection, on=qpu, now=now)
    found = sorted(each(rows, booking_of), key=lambda booking: booking.start_at)
    return active(found, now), tuple(booking for booking in found if booking.start_at > now)[:AHEAD]


def people(booking: Booking) -> tuple[str, ...]:
    """Whose the booking is."""
    return (booking.booked_by, *sorted(booking.invited))


def activity_of(connection: Connection, qpu: str, who: Sequence[str], since: datetime) -> Activity:
    """What these people do on ``qpu``: whether a job of theirs is open, and when the last one ended since then."""
    open_job = connection.execute(_OPEN_OF, {"on": qpu, "who": who}).first()
    last_end = connection.execute(_LAST_END_OF, {"on": qpu, "who": who, "since": since}).scalar()
    return Activity(open_jobs=0 if open_job is None else 1, last_end_at=last_end)


def use(connection: Connection, booking_id: str, at: datetime) -> None:
    """Note that the booking's people came."""
    connection.execute(_USE, {"booking": booking_id, "at": at})


def give_back(connection: Connection, booking: Booking, at: datetime) -> None:
    """The booking ends now: nobody came."""
    connection.execute(
        update(bookings)
        .where(bookings.c.id == booking.id)
        .values(status="no_show", end_at=at, changed_at=at, version=bookings.c.version + 1)
    )


def _heads(connection: Connection, qpu: str) -> dict[str, JobRecord]:
    """The first jobs of each person, person after person along the index, up to the view's limit."""
    rows: dict[str, JobRecord] = {}
    person = _NEXT_PERSON.scalar(connection, on=qpu, person="")
    while person is not None and len(rows) < VIEW_LIMIT - HEAD:
        found = _OF_PERSON.each(connection, on=qpu, person=person, top=HIGHEST)
        rows |= {found.id: found for found in each(found, record)}
        person = _NEXT_PERSON.scalar(connection, on=qpu, person=person)
    return rows


def _first_of(connection: Connection, qpu: str, who: Sequence[str]) -> dict[str, JobRecord]:
    """The first jobs of these people."""
    rows: dict[str, JobRecord] = {}
    for person in who:
        found = _OF_PERSON.each(connection, on=qpu, person=person, top=HIGHEST)
        rows |= {found.id: found for found in each(found, record)}
    return rows


def _fitting(view: View, now: datetime) -> list[float]:
    """The bounds (seconds) that jobs may have to stay for."""
    bounds = [view.policy.backfill_max_s] if view.booking is not None else []
    return bounds + [(booking.start_at - now).total_seconds() for booking in view.ahead[:2]]

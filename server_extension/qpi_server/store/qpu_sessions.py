"""Rows of sessions: a QPU held for one person's low-latency loop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, or_, select, update

from qpi_jupyter.core import Session, times

from .jobs import OPEN
from .prepared import Prepared
from .rows import each, first, whole
from .schema import bookings, jobs, qpu_sessions, qpus


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session. ``booking_id`` is set where it is inside its holder's booking: then it costs nothing more."""

    id: str
    qpu: str
    holder: str
    account: str
    booking_id: str | None
    budget_s: float
    idle_s: float
    opened_at: datetime
    seen_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    reason: str = ""
    held_s: float | None = None
    busy_s: float | None = None


_HELD = Prepared(
    select(qpu_sessions.c.holder, qpu_sessions.c.opened_at, qpu_sessions.c.expires_at).where(
        qpu_sessions.c.qpu == bindparam("on"),
        qpu_sessions.c.closed_at.is_(None),
        qpu_sessions.c.expires_at > bindparam("now"),
    )
)


def held(connection: Connection, qpu: str, now: datetime) -> Session | None:
    """The session that holds the QPU, if one does."""
    row = _HELD.first(connection, on=qpu, now=now)
    return None if row is None else Session(holder=row.holder, opened_at=row.opened_at, expires_at=row.expires_at)


def add(connection: Connection, row: SessionRow) -> None:
    """Write a new session."""
    names = ("id", "qpu", "holder", "account", "booking_id", "budget_s", "idle_s", "opened_at", "seen_at", "expires_at")
    connection.execute(insert(qpu_sessions), {name: getattr(row, name) for name in names})


def find(connection: Connection, session_id: str) -> SessionRow | None:
    """The session of that id, if there is one."""
    return first(connection, select(qpu_sessions).where(qpu_sessions.c.id == session_id), whole(SessionRow))


def open_on(connection: Connection, qpu: str) -> SessionRow | None:
    """The session of this QPU that nobody closed yet."""
    query = select(qpu_sessions).where(qpu_sessions.c.qpu == qpu, qpu_sessions.c.closed_at.is_(None))
    return first(connection, query, whole(SessionRow))


_OPEN_NOW = (
    select(qpu_sessions, bookings.c.end_at)
    .outerjoin(bookings, bookings.c.id == qpu_sessions.c.booking_id)
    .where(qpu_sessions.c.qpu.in_(select(qpus.c.name)), qpu_sessions.c.closed_at.is_(None))
)


def open_now(connection: Connection) -> dict[str, tuple[SessionRow, datetime]]:
    """The open session of each QPU that has one, and until when at the latest it may go on."""
    found = {}
    for row, end_at in each(connection.execute(_OPEN_NOW), _until):
        found[row.qpu] = row, end_at or times.after(row.opened_at, row.budget_s)
    return found


def _until(row: Row[Any]) -> tuple[SessionRow, datetime | None]:
    return SessionRow(**{column.name: row._mapping[column] for column in qpu_sessions.columns}), row.end_at


def page(connection: Connection, holder: str, limit: int) -> list[SessionRow]:
    """Those that are open, whosever they are, and the holder's latest."""
    latest = (
        select(qpu_sessions.c.id)
        .where(qpu_sessions.c.holder == holder)
        .order_by(qpu_sessions.c.opened_at.desc())
        .limit(limit)
    )
    query = (
        select(qpu_sessions)
        .where(or_(qpu_sessions.c.closed_at.is_(None), qpu_sessions.c.id.in_(latest.scalar_subquery())))
        .order_by(qpu_sessions.c.opened_at.desc())
    )
    return list(each(connection.execute(query), whole(SessionRow)))


def busy_s(connection: Connection, row: SessionRow, until: datetime) -> float:
    """How much of the time from ``row.opened_at`` the holder's own jobs ran: what is charged as jobs."""
    over = select(jobs.c.ended_at, jobs.c.busy_s).where(
        jobs.c.ended_at > row.opened_at,
        jobs.c.ended_at <= until,
        jobs.c.deleted_at.is_(None),
        jobs.c.busy_s.is_not(None),
        # The time is what narrows it, not the index of either column.
        jobs.c.qpu.concat("") == row.qpu,
        jobs.c.owner.concat("") == row.holder,
    )
    total: float = sum(min(busy, (end - row.opened_at).total_seconds()) for end, busy in connection.execute(over))
    running = select(jobs.c.started_at).where(
        jobs.c.qpu == row.qpu, jobs.c.owner == row.holder, jobs.c.state.in_([state.value for state in OPEN])
    )
    begun = [max(start, row.opened_at) for (start,) in connection.execute(running) if start is not None]
    return total + sum(((until - start).total_seconds() for start in begun), 0.0)


def change(connection: Connection, session_id: str, **values: Any) -> None:
    """Set columns of a session (Any: each has its own type)."""
    connection.execute(update(qpu_sessions).where(qpu_sessions.c.id == session_id).values(**values))

"""Rows of requests for QPU time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from .rows import equal, first, some, whole
from .schema import time_requests

PENDING, APPROVED, REJECTED, WITHDRAWN = "pending", "approved", "rejected", "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRequestRow:
    """A request of ``person`` for time on ``account``."""

    id: str
    person: str
    account: str
    seconds: float
    created_at: datetime
    reason: str = ""
    status: str = PENDING
    answer: str = ""
    granted_s: float | None = None
    handled_by: str | None = None
    handled_at: datetime | None = None
    seq: int = 0


def add(connection: Connection, row: TimeRequestRow) -> None:
    """Write a new request."""
    values = {
        "id": row.id,
        "person": row.person,
        "account": row.account,
        "seconds": row.seconds,
        "created_at": row.created_at,
        "reason": row.reason,
        "status": row.status,
    }
    connection.execute(insert(time_requests), values)


def find(connection: Connection, request_id: str) -> TimeRequestRow | None:
    """The request of that id, if there is one."""
    return first(connection, select(time_requests).where(time_requests.c.id == request_id), whole(TimeRequestRow))


def end(connection: Connection, row: TimeRequestRow) -> bool:
    """Write how a pending request ended; whether it was still pending."""
    statement = update(time_requests).where(time_requests.c.id == row.id, time_requests.c.status == PENDING)
    values = {
        "status": row.status,
        "answer": row.answer,
        "granted_s": row.granted_s,
        "handled_by": row.handled_by,
        "handled_at": row.handled_at,
    }
    return connection.execute(statement.values(values)).rowcount == 1


def page(
    connection: Connection, *, person: str | None, status: str | None, before: int | None, limit: int
) -> list[TimeRequestRow]:
    """Newest first; of everybody where ``person`` is None."""
    wanted = equal({time_requests.c.person: person, time_requests.c.status: status})
    query = select(time_requests).where(*wanted).order_by(time_requests.c.seq.desc())
    if before is not None:
        query = query.where(time_requests.c.seq < before)
    return some(connection, query, whole(TimeRequestRow), limit)

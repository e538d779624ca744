"""Append-only rows: events, the ledger, results."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, func, insert, select, union_all, update

from qpi_jupyter.core import Entry, EntryKind, held

from .prepared import Prepared
from .rows import Unreadable, one, whole
from .schema import accounts, events, ledger, results

EVERYBODY = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """One fact; ``owner`` says who sees it, `EVERYBODY` where all may."""

    kind: str
    at: datetime
    owner: str = EVERYBODY
    job_id: str | None = None
    qpu: str | None = None
    data: dict[str, Any] = field(default_factory=dict)  # JSON
    booking_id: str | None = None
    seq: int = 0


_ADD_EVENT = Prepared(insert(events).returning(events.c.seq))


def add_event(connection: Connection, event: EventRow) -> int:
    """Append an event; its ``seq``."""
    seq = _ADD_EVENT.scalar(
        connection,
        at=event.at,
        kind=event.kind,
        owner=event.owner,
        job_id=event.job_id,
        qpu=event.qpu,
        data=event.data,
        booking_id=event.booking_id,
    )
    return int(seq)


def _event(row: Row[Any]) -> EventRow:
    data = {} if isinstance(row.data, Unreadable) else row.data  # its place among the others is what counts
    return EventRow(**{**row._asdict(), "data": data})


def events_after(
    connection: Connection, after: int, limit: int, *, reader: str | None
) -> tuple[list[EventRow], int, int]:
    """Up to ``limit`` events after ``after`` that ``reader`` may see (None: all), the ``seq`` of the one before them
    (0: none), and the newest ``seq`` of all."""

    def query(*where: ColumnElement[bool]) -> Select[Any]:
        return select(events).where(events.c.seq > after, *where).order_by(events.c.seq).limit(limit)

    newest = int(connection.execute(select(func.max(events.c.seq))).scalar() or 0)
    if reader is None:
        rows = connection.execute(query()).all()
        previous = connection.execute(select(func.max(events.c.seq)).where(events.c.seq <= after)).scalar()
        return [_event(row) for row in rows], int(previous or 0), newest
    # Two ranges of one index, merged: each person's own, and everybody's.
    names = (reader, EVERYBODY)
    parts = [select(query(events.c.owner == name).subquery()) for name in names]
    both = union_all(*parts).subquery()
    rows = connection.execute(select(both).order_by(both.c.seq).limit(limit)).all()
    last = [
        connection.execute(select(func.max(events.c.seq)).where(events.c.owner == n, events.c.seq <= after)).scalar()
        for n in names
    ]
    return [_event(row) for row in rows], max(int(seq or 0) for seq in last), newest


def events_of_jobs(connection: Connection, job_ids: Collection[str]) -> list[EventRow]:
    """Every event of these jobs, oldest first."""
    query = select(events).where(events.c.job_id.in_(list(job_ids))).order_by(events.c.seq)
    return [_event(row) for row in connection.execute(query)]


def events_of_booking(connection: Connection, booking_id: str) -> list[EventRow]:
    """Every event of a booking, oldest first."""
    query = select(events).where(events.c.booking_id == booking_id).order_by(events.c.seq)
    return [_event(row) for row in connection.execute(query)]


def newest_event(connection: Connection) -> int:
    """The newest ``seq``; 0 before the first event."""
    return int(connection.execute(select(func.max(events.c.seq))).scalar() or 0)


_ENTRIES = Prepared(select(ledger).where(ledger.c.job_id == bindparam("job")).order_by(ledger.c.seq))
_ADD_ENTRY = Prepared(insert(ledger))


def entries(connection: Connection, job_id: str) -> list[Entry]:
    """The ledger's lines of a job, oldest first."""
    return [
        Entry(
            kind=EntryKind(row.kind),
            account=row.account,
            amount_s=row.amount_s,
            at=row.at,
            qpu=row.qpu,
            job_id=row.job_id,
            attempt=row.attempt,
            reason=row.reason,
            person=row.person,
        )
        for row in _ENTRIES.each(connection, job=job_id)
    ]


class Standing(NamedTuple):
    """How an account stands after a line."""

    balance_s: float
    limited: bool | None
    """None: as the lab's configuration says."""


_POST = Prepared(
    update(accounts)
    .where(accounts.c.name == bindparam("account"))
    .values(balance_s=accounts.c.balance_s + bindparam("by"), held_s=accounts.c.held_s + bindparam("held_by"))
    .returning(accounts.c.balance_s, accounts.c.limited)
)
_OPEN = insert(accounts)


def add_entry(connection: Connection, entry: Entry, *, released_s: float | None = None) -> Standing:
    """Append a line to the ledger; the account follows.

    Parameters
    ----------
    released_s
        what a settle or a refund lets go of that was set aside, where the caller knows; else it is looked up.
    """
    held_by = _held_by(connection, entry) if released_s is None else -released_s
    _ADD_ENTRY.run(
        connection,
        kind=entry.kind.value,
        account=entry.account,
        amount_s=entry.amount_s,
        at=entry.at,
        qpu=entry.qpu,
        job_id=entry.job_id,
        attempt=entry.attempt,
        reason=entry.reason,
        person=entry.person,
    )
    row = _POST.first(connection, account=entry.account, by=entry.amount_s, held_by=held_by)
    if row is not None:
        return Standing(row.balance_s, row.limited)
    new = {"name": entry.account, "balance_s": entry.amount_s, "held_s": held_by, "created_at": entry.at}
    connection.execute(_OPEN, new)
    return Standing(entry.amount_s, None)


def _held_by(connection: Connection, entry: Entry) -> float:
    """By how much a line changes what is set aside."""
    if entry.kind is EntryKind.GRANT:
        return 0.0
    if entry.kind is EntryKind.HOLD:
        return -entry.amount_s
    if entry.job_id is None or entry.attempt is None:
        return 0.0
    return -held(entries(connection, entry.job_id), entry.attempt)


def balance(connection: Connection, account: str) -> float:
    """What is left of an account: the sum of its lines (QPU-seconds)."""
    query = select(func.sum(ledger.c.amount_s)).where(ledger.c.account == account)
    return float(connection.execute(query).scalar() or 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """A stored result: its header as it came, and where its data lies."""

    job_id: str
    attempt: int
    digest: str
    header: bytes
    blob_sha256: str
    blob_bytes: int
    small: bool
    stored_at: datetime


_RESULT = Prepared(select(results).where(results.c.job_id == bindparam("job")))
_ADD_RESULT = Prepared(insert(results))


def add_result(connection: Connection, row: ResultRow) -> None:
    """Write a result."""
    _ADD_RESULT.run(
        connection,
        job_id=row.job_id,
        attempt=row.attempt,
        digest=row.digest,
        header=row.header,
        blob_sha256=row.blob_sha256,
        blob_bytes=row.blob_bytes,
        small=row.small,
        stored_at=row.stored_at,
    )


def result(connection: Connection, job_id: str) -> ResultRow | None:
    """The result of a job, if it has one."""
    return one(_RESULT.first(connection, job=job_id), whole(ResultRow))


def datasets(connection: Connection, job_ids: list[str]) -> dict[str, tuple[str, int]]:
    """Digest and size of the stored data, by job."""
    query = select(results.c.job_id, results.c.blob_sha256, results.c.blob_bytes).where(results.c.job_id.in_(job_ids))
    return {row.job_id: (row.blob_sha256, row.blob_bytes) for row in connection.execute(query)}

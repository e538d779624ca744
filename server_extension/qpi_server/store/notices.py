"""Rows of notices and of who dismissed them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update

from .rows import each, first, some
from .schema import dismissals, notices


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """An announcement; with neither people nor groups it is for everybody."""

    id: str
    title: str
    body: str = ""
    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    start_at: datetime | None = None
    end_at: datetime | None = None
    created_by: str
    created_at: datetime
    changed_at: datetime
    deleted_at: datetime | None = None


def _row(row: Row[Any]) -> NoticeRow:
    fields: dict[str, Any] = {column.name: row._mapping[column] for column in notices.columns}  # as the columns are
    del fields["seq"]
    return NoticeRow(**{**fields, "people": tuple(fields["people"]), "groups": tuple(fields["groups"])})


def put(connection: Connection, row: NoticeRow) -> None:
    """Write a notice, in the place of an earlier one of that id."""
    values = {name: getattr(row, name) for name in NoticeRow.__dataclass_fields__}
    values |= {"people": list(row.people), "groups": list(row.groups)}
    if connection.execute(update(notices).where(notices.c.id == row.id).values(**values)).rowcount == 0:
        connection.execute(insert(notices), values)


def find(connection: Connection, notice_id: str) -> NoticeRow | None:
    """The notice of that id, unless it was deleted."""
    query = select(notices).where(notices.c.id == notice_id, notices.c.deleted_at.is_(None))
    return first(connection, query, _row)


def newest(
    connection: Connection, reader: str, *, at: datetime | None = None, limit: int
) -> list[tuple[NoticeRow, bool]]:
    """Notices, newest first, and whether ``reader`` dismissed each; with ``at`` those whose time it is."""
    mine = and_(dismissals.c.notice_id == notices.c.id, dismissals.c.person == reader)
    query = (
        select(notices, dismissals.c.at.label("dismissed_at"))
        .join_from(notices, dismissals, mine, isouter=True)
        .where(notices.c.deleted_at.is_(None))
        .order_by(notices.c.seq.desc())
    )
    if at is not None:
        begun = or_(notices.c.start_at.is_(None), notices.c.start_at <= at)
        query = query.where(begun, or_(notices.c.end_at.is_(None), notices.c.end_at > at))
    return some(connection, query, lambda row: (_row(row), row.dismissed_at is not None), limit)


def to_come(connection: Connection, at: datetime) -> list[NoticeRow]:
    """Those whose time begins after ``at``."""
    query = select(notices).where(notices.c.deleted_at.is_(None), notices.c.start_at > at)
    return list(each(connection.execute(query), _row))


def dismissed(connection: Connection, notice_id: str, person: str) -> bool:
    """Whether a person has dismissed a notice."""
    query = select(dismissals.c.at).where(dismissals.c.notice_id == notice_id, dismissals.c.person == person)
    return connection.execute(query).first() is not None


def dismiss(connection: Connection, notice_id: str, person: str, at: datetime) -> None:
    """Note that a person has dismissed a notice; the first time counts."""
    if not dismissed(connection, notice_id, person):
        connection.execute(insert(dismissals), {"notice_id": notice_id, "person": person, "at": at})

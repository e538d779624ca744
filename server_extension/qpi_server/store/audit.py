"""The managers' log: who did what to whom. Written in the same transaction as the deed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, String, cast, insert, select

from .rows import some, whole
from .schema import audit


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """``subject`` names the thing by kind and name: ``user:ann``, ``qpu:q1``."""

    at: datetime
    who: str
    action: str
    subject: str
    data: dict[str, Any] = field(default_factory=dict)  # JSON
    seq: int = 0


def add(connection: Connection, row: AuditRow) -> None:
    """Append a line."""
    values = {"at": row.at, "who": row.who, "action": row.action, "subject": row.subject, "data": row.data}
    connection.execute(insert(audit), values)


def page(connection: Connection, *, before: int | None, limit: int, words: Sequence[str] = ()) -> list[AuditRow]:
    """Newest first; with ``words``, the lines that have every one of them somewhere."""
    query = select(audit).order_by(audit.c.seq.desc())
    if before is not None:
        query = query.where(audit.c.seq < before)
    line = audit.c.who + " " + audit.c.action + " " + audit.c.subject + " " + cast(audit.c.data, String)
    query = query.where(*(line.icontains(word, autoescape=True) for word in words))
    return some(connection, query, whole(AuditRow), limit)

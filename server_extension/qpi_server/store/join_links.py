"""Rows of join links: secret addresses where people make their own accounts, of which only the SHA-256 is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from .rows import each, first, whole
from .schema import join_links


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinLinkRow:
    id: str
    sha256: str
    name: str = ""
    group: str | None = None
    allowance_s: float | None = None
    uses: int = 1
    """How many people may."""
    used: int = 0
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


def add(connection: Connection, row: JoinLinkRow) -> None:
    """Write a new link."""
    connection.execute(insert(join_links), asdict(row))


def by_secret(connection: Connection, sha256: str) -> JoinLinkRow | None:
    """The link with this secret, whether or not it still counts."""
    return first(connection, select(join_links).where(join_links.c.sha256 == sha256), whole(JoinLinkRow))


def find(connection: Connection, link_id: str) -> JoinLinkRow | None:
    """The link of that id, unless it was revoked."""
    query = select(join_links).where(join_links.c.id == link_id, join_links.c.revoked_at.is_(None))
    return first(connection, query, whole(JoinLinkRow))


def current(connection: Connection, at: datetime) -> list[JoinLinkRow]:
    """Those that still count, the newest first."""
    query = select(join_links).where(
        join_links.c.revoked_at.is_(None), join_links.c.expires_at > at, join_links.c.used < join_links.c.uses
    )
    return list(each(connection.execute(query.order_by(join_links.c.created_at.desc())), whole(JoinLinkRow)))


def change(connection: Connection, link_id: str, **values: Any) -> None:
    """Set columns of a link (Any: each has its own type)."""
    connection.execute(update(join_links).where(join_links.c.id == link_id).values(**values))

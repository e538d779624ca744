"""Rows of calendar feeds: secret addresses, of which only the SHA-256 is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from .rows import each, first, whole
from .schema import feeds, users


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedRow:
    id: str
    sha256: str
    owner: str
    qpu: str | None
    created_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


def add(connection: Connection, row: FeedRow) -> None:
    """Write a new feed."""
    connection.execute(insert(feeds), asdict(row))


def by_secret(connection: Connection, sha256: str) -> FeedRow | None:
    """The feed at this address, unless it was revoked or its owner is suspended."""
    query = (
        select(feeds)
        .outerjoin(users, users.c.name == feeds.c.owner)
        .where(feeds.c.sha256 == sha256, feeds.c.revoked_at.is_(None), users.c.suspended_at.is_(None))
    )
    return first(connection, query, whole(FeedRow))


def find(connection: Connection, feed_id: str) -> FeedRow | None:
    """The feed of that id, if there is one that was not revoked."""
    return first(connection, select(feeds).where(feeds.c.id == feed_id, feeds.c.revoked_at.is_(None)), whole(FeedRow))


def of_owner(connection: Connection, owner: str) -> list[FeedRow]:
    """A person's feeds, the newest first."""
    query = select(feeds).where(feeds.c.owner == owner, feeds.c.revoked_at.is_(None))
    return list(each(connection.execute(query.order_by(feeds.c.created_at.desc())), whole(FeedRow)))


def count(connection: Connection, owner: str) -> int:
    """How many feeds a person has."""
    query = select(func.count()).select_from(feeds).where(feeds.c.owner == owner, feeds.c.revoked_at.is_(None))
    return int(connection.execute(query).scalar() or 0)


def change(connection: Connection, feed_id: str, **moments: datetime) -> None:
    """Keep when a feed was last read, or that its address has ended."""
    connection.execute(update(feeds).where(feeds.c.id == feed_id).values(**moments))

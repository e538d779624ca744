"""Rows of calendar feeds: secret addresses, of which only the SHA-256 is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

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
    found = connection.execute(query).first()
    return None if found is None else FeedRow(**found._mapping)


def find(connection: Connection, feed_id: str) -> FeedRow | None:
    """The feed of that id, if there is one that was not revoked."""
    found = connection.execute(select(feeds).where(feeds.c.id == feed_id, feeds.c.revoked_at.is_(None))).first()
    return None if found is None else FeedRow(**found._mapping)


def of_owner(connection: Connection, owner: str) -> list[FeedRow]:
    """A person's feeds, the newest first."""
    query = select(feeds).where(feeds.c.owner == owner, feeds.c.revoked_at.is_(None))
    return [FeedRow(**found._mapping) for found in connection.execute(query.order_by(feeds.c.created_at.desc()))]


def count(connection: Connection, owner: str) -> int:
    """How many feeds a person has."""
    query = select(func.count()).select_from(feeds).where(feeds.c.owner == owner, feeds.c.revoked_at.is_(None))
    return int(connection.execute(query).scalar() or 0)


def revoke(connection: Connection, feed_id: str, at: datetime) -> None:
    """End a feed's address."""
    connection.execute(update(feeds).where(feeds.c.id == feed_id).values(revoked_at=at))


def touch(connection: Connection, feed_id: str, at: datetime) -> None:
    """Keep when a feed was last read."""
    connection.execute(update(feeds).where(feeds.c.id == feed_id).values(used_at=at))

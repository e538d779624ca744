"""Calendar feeds: secret, revocable addresses of somebody's bookings or of a QPU's, for calendar programs."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.errors import NotFound, Rejected
from qpi_jupyter.wire.bookings import FeedIn, FeedList, FeedModel
from qpi_server.store import bookings, feeds
from qpi_server.store.bookings import BookingRow
from qpi_server.store.feeds import FeedRow

from . import ics
from .room import Room

MAX_FEEDS = 50
MAX_EVENTS = 1_000
KEPT = timedelta(days=30)
"""How long a feed shows what is over, and that something was given up."""
TOUCH = timedelta(hours=1)
"""How exactly it is kept when a feed was read last."""


class FeedService:
    """Whoever has a feed's address may read it: the address is the credential, and only its SHA-256 is kept."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def create(self, principal: Principal, request: FeedIn, address: str) -> FeedModel:
        """A new feed under the server's ``address``; only this answer shows its own.

        Raises
        ------
        Rejected
            the person has too many.
        """
        if request.qpu is not None:
            self._room.qpu(request.qpu)
        secret = secrets.token_urlsafe(32)
        row = FeedRow(
            id=f"feed-{secrets.token_hex(8)}",
            sha256=_sha256(secret),
            owner=principal.name,
            qpu=request.qpu,
            created_at=self._room.now(),
        )

        def unit(connection: Connection) -> None:
            if feeds.count(connection, row.owner) >= MAX_FEEDS:
                raise Rejected(f"You have {MAX_FEEDS} feeds: revoke one first.", code="too_many_feeds")
            feeds.add(connection, row)

        await self._room.store.write(unit)
        return _model(row, url=f"{address.rstrip('/')}/qpi/v1/feeds/{secret}/calendar.ics")

    async def list(self, principal: Principal) -> FeedList:
        """One's own feeds, the newest first, without their addresses."""
        rows = await self._room.store.read(lambda connection: feeds.of_owner(connection, principal.name))
        return FeedList(feeds=[_model(row) for row in rows])

    async def revoke(self, principal: Principal, feed_id: str) -> None:
        """End a feed of one's own: its address leads nowhere any more.

        Raises
        ------
        NotFound
            there is none, or it is somebody else's.
        """
        at = self._room.now()

        def unit(connection: Connection) -> None:
            row = feeds.find(connection, feed_id)
            if row is None or not allows(principal, Permission.BOOKINGS_READ, row.owner):
                raise NotFound(f"There is no feed {feed_id!r}, or it is not yours.", code="unknown_feed")
            feeds.revoke(connection, feed_id, at)

        await self._room.store.write(unit)

    async def render(self, secret: str) -> str:
        """The calendar (text/calendar) at a secret address.

        Raises
        ------
        NotFound
            there is no such address, or it was revoked.
        """
        now, digest = self._room.now(), _sha256(secret)

        def query(connection: Connection) -> tuple[FeedRow, list[BookingRow]] | None:
            feed = feeds.by_secret(connection, digest)
            if feed is None:
                return None
            person = feed.owner if feed.qpu is None else None
            rows = bookings.lately(connection, qpu=feed.qpu, person=person, since=now - KEPT, limit=MAX_EVENTS)
            return feed, rows

        found = await self._room.store.read(query)
        if found is None:
            raise NotFound("There is no calendar at this address.", code="unknown_feed")
        feed, rows = found
        if feed.used_at is None or now - feed.used_at >= TOUCH:
            await self._room.store.write(lambda connection: feeds.touch(connection, feed.id, now))
        if feed.qpu is None:
            return await asyncio.to_thread(ics.write, f"Bookings of {feed.owner}", [(row, True) for row in rows])
        public = self._room.config.public_bookings
        shown = [(row, public or row.booking.admits(feed.owner)) for row in rows]
        return await asyncio.to_thread(ics.write, f"Bookings of {feed.qpu}", shown)


def _model(row: FeedRow, *, url: str | None = None) -> FeedModel:
    return FeedModel(id=row.id, qpu=row.qpu, created_at=row.created_at, used_at=row.used_at, url=url)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

"""Calendar feeds: secret, revocable addresses of somebody's bookings or of a QPU's, for calendar programs."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from datetime import datetime, timedelta

from qpi_jupyter.core import NotFound, Permission, Principal, allows, existing, limited, require_quota
from qpi_jupyter.wire.bookings import FeedIn, FeedList, FeedModel
from qpi_server.service.base import Context, Turns, Tx
from qpi_server.store import FeedRow, bookings, feeds

from . import ics

MAX_EVENTS = 1_000
READERS = 2
"""Feeds that are written at once; one reader of each."""
KEPT = timedelta(days=30)
"""How long a feed shows what is over, and that something was given up."""
TOUCH = timedelta(hours=1)
"""How exactly it is kept when a feed was read last."""


class FeedService:
    """Whoever has a feed's address may read it: the address is the credential, and only its SHA-256 is kept."""

    def __init__(self, context: Context) -> None:
        self._context, self._db = context, context.db
        self._turns = Turns("reading a calendar feed", places=READERS, waiting=4)

    async def create(self, principal: Principal, request: FeedIn, address: str) -> FeedModel:
        """A new feed under the server's ``address``; only this answer shows its own.

        Raises
        ------
        Conflict
            the person has too many.
        """
        if request.qpu is not None:
            self._context.qpus.get(request.qpu)
        secret = secrets.token_urlsafe(32)
        row = FeedRow(
            id=f"feed-{secrets.token_hex(8)}",
            sha256=_sha256(secret),
            owner=principal.name,
            qpu=request.qpu,
            created_at=self._context.now(),
        )

        def unit(tx: Tx) -> None:
            if limited(principal):
                require_quota(
                    feeds.count(tx.connection, row.owner), self._context.config.quotas.max_feeds, "calendar feeds",
                    "revoke one first", code="too_many_feeds", setting="max_feeds",
                )  # fmt: skip
            feeds.add(tx.connection, row)

        await self._db.write(unit)
        return _model(row, url=f"{address.rstrip('/')}/qpi/v1/feeds/{secret}/calendar.ics")

    async def list(self, principal: Principal) -> FeedList:
        """One's own feeds, the newest first, without their addresses."""
        rows = await self._db.read(lambda connection: feeds.of_owner(connection, principal.name))
        return FeedList(feeds=[_model(row) for row in rows])

    async def revoke(self, principal: Principal, feed_id: str) -> None:
        """End a feed of one's own: its address leads nowhere any more.

        Raises
        ------
        NotFound
            there is none, or it is somebody else's.
        """

        def unit(tx: Tx) -> None:
            row = feeds.find(tx.connection, feed_id)
            if row is None or not allows(principal, Permission.BOOKINGS_READ, row.owner):
                raise NotFound(f"There is no feed {feed_id!r}, or it is not yours.", code="unknown_feed")
            feeds.change(tx.connection, feed_id, revoked_at=tx.at)

        await self._db.write(unit)

    async def render(self, secret: str) -> str:
        """The calendar (text/calendar) at a secret address.

        Raises
        ------
        NotFound
            there is no such address, or it was revoked.
        TooMany
            too many programs read this feed at once.
        """
        now, digest = self._context.now(), _sha256(secret)
        feed = existing(
            await self._db.read(lambda connection: feeds.by_secret(connection, digest)),
            NotFound("There is no calendar at this address.", code="unknown_feed"),
        )
        if feed.used_at is None or now - feed.used_at >= TOUCH:
            await self._db.write(lambda tx: feeds.change(tx.connection, feed.id, used_at=now))
        async with self._turns.turn(feed.id):
            return await self._written(feed, now)

    async def _written(self, feed: FeedRow, now: datetime) -> str:
        person = feed.owner if feed.qpu is None else None
        rows = await self._db.search(
            f"feed:{feed.id}",
            lambda connection: bookings.lately(
                connection, qpu=feed.qpu, person=person, since=now - KEPT, limit=MAX_EVENTS
            ),
            narrow="Ask its owner for a feed of one QPU.",
        )
        if feed.qpu is None:
            return await asyncio.to_thread(ics.write, f"Bookings of {feed.owner}", [(row, True) for row in rows])
        public = self._context.config.public_bookings
        shown = [(row, public or row.booking.admits(feed.owner)) for row in rows]
        return await asyncio.to_thread(ics.write, f"Bookings of {feed.qpu}", shown)


def _model(row: FeedRow, *, url: str | None = None) -> FeedModel:
    return FeedModel(id=row.id, qpu=row.qpu, created_at=row.created_at, used_at=row.used_at, url=url)


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

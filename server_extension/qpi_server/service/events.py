"""The event stream: durable, filtered per person, with gaps that show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.wire.rest import EventModel, EventPage
from qpi_server.store import attempts, facts

from .job_edits import visible
from .models import event_models
from .outbox import ALL_EVENTS, events_topic
from .room import Room, find

MAX_WAIT_S = 60.0
MAX_PAGE = 2_000
MAX_SEQ = 2**63 - 1


class EventService:
    """What happened, in the order in which it was written."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def page(self, principal: Principal, *, after: int = 0, limit: int = 500, wait_s: float = 0.0) -> EventPage:
        """The events after a cursor; with none there, waits that long for one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait_s, MAX_WAIT_S)
        reader = None if allows(principal, Permission.JOBS_READ_ANY) else principal.name
        after, limit = max(0, min(after, MAX_SEQ)), max(1, min(limit, MAX_PAGE))
        topics = (ALL_EVENTS,) if reader is None else (events_topic(reader), events_topic(facts.EVERYBODY))
        with self._room.outbox.bell.listening(*topics) as news:
            while True:
                news.clear()
                rows, previous, newest = await self._room.store.read(
                    lambda connection: facts.events_after(connection, after, limit, reader=reader)
                )
                left = deadline - loop.time()
                if rows or left <= 0:
                    cursor = rows[-1].seq if len(rows) == limit else max(newest, after)
                    return EventPage(events=event_models(rows, previous), cursor=cursor)
                try:
                    async with asyncio.timeout(left):
                        await news.wait()
                except TimeoutError:
                    continue

    async def newest(self) -> EventPage:
        """No events, but the cursor from which what happens from now on is read."""
        return EventPage(events=[], cursor=await self._room.store.read(facts.newest_event))

    async def of_job(self, principal: Principal, job_id: str) -> EventPage:
        """Every event of one job, with the names of its drivers; ``prev`` is the job's own one before."""

        def query(connection: Connection) -> list[facts.EventRow]:
            visible(principal, find(connection, job_id))
            rows = facts.events_of_job(connection, job_id)
            names = attempts.driver_names(connection, job_id)
            return [replace(row, data=row.data | _named(row.data, names)) for row in rows]

        rows = await self._room.store.read(query)
        return EventPage(events=event_models(rows, 0), cursor=rows[-1].seq if rows else 0)

    async def subscribe(self, principal: Principal, *, after: int | None = None) -> AsyncIterator[EventModel]:
        """What happens after a cursor, or from now on, for ever."""
        cursor = (await self.newest()).cursor if after is None else after
        while True:
            page = await self.page(principal, after=cursor, wait_s=MAX_WAIT_S)
            for event in page.events:
                yield event
            cursor = page.cursor


def _named(data: dict[str, Any], names: Mapping[int, str]) -> dict[str, str]:
    """Who had the attempt that an event is about; nobody has a waiting job."""
    name = names.get(data.get("attempt", 0))
    return {"driver_name": name} if name is not None and data.get("phase") != "queued" else {}

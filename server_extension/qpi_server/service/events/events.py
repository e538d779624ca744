"""The event stream: durable, filtered per person, with gaps that show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import msgspec
from msgspec import UNSET
from msgspec.structs import replace
from sqlalchemy import Connection

from qpi_jupyter.core import Permission, Principal, allows
from qpi_jupyter.wire import sse
from qpi_jupyter.wire.events import EventPage, LabEvent
from qpi_jupyter.wire.jobs import JobData
from qpi_server.service.base import Context, Found, stream
from qpi_server.service.lifecycle import event_models, find, kin, knows_all, relatives, told, visible
from qpi_server.store import attempts, facts

from .streams import Out, StreamReader, Streams

MAX_WAIT_S = 60.0
MAX_PAGE = 2_000
MAX_SEQ = 2**63 - 1
PING_S = 15.0
LIFE_S = 900.0
"""How long a stream lasts at most: its reader comes again, with a credential that is still good."""


class EventService:
    """What happened, in the order in which it was written."""

    def __init__(self, context: Context) -> None:
        self._db, self._followers, self._now = context.db, context.followers, context.now
        self._streams, self._closed = Streams(context.commits), False

    def close(self) -> None:
        """Let nobody wait for more: every stream ends, and every long-poll."""
        self._closed = True
        self._streams.close()
        self._followers.close()

    async def page(self, principal: Principal, *, after: int = 0, limit: int = 500, wait_s: float = 0.0) -> EventPage:
        """The events after a cursor; with none there, waits that long for one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait_s, MAX_WAIT_S)
        reader = _reader(principal)
        after, limit = max(0, min(after, MAX_SEQ)), max(1, min(limit, MAX_PAGE))
        topics = {stream(reader), stream(facts.EVERYBODY if reader is not None else None)}
        with self._followers.listening(*topics) as news:
            while True:
                news.clear()
                found = self._followers.after(after, limit, reader=reader) or await self._stored(after, limit, reader)
                left = deadline - loop.time()
                if found.events or left <= 0 or self._closed:
                    cursor = found.events[-1].seq if len(found.events) == limit else max(found.newest, after)
                    return EventPage(events=_linked(found), cursor=cursor)
                try:
                    async with asyncio.timeout(left):
                        await news.wait()
                except TimeoutError:
                    continue

    async def stream(self, principal: Principal, out: Out, *, after: int | None = None) -> None:
        """Push what happens after a cursor, or from now on, as server-sent events; their ids are cursors.

        It ends with a message ``end`` that says why: whoever comes again with the last id has missed nothing.
        """
        reader, newest = _reader(principal), self._followers.newest
        cursor = newest if after is None else min(after, newest)
        with self._streams.open(reader, principal.name, out) as one:
            await out.send(sse.message(of=cursor))
            previous = await self._catch_up(one, reader, cursor)
            self._streams.follow(one, reader, previous)
            why = await self._follow(one, principal)
        await out.send(sse.message(msgspec.json.encode({"code": why}), event="end"))

    async def _catch_up(self, one: StreamReader, reader: str | None, cursor: int) -> int:
        """Send what there is after ``cursor``; the ``seq`` of the newest event that ``reader`` may see."""
        previous = self._followers.previous(cursor, reader=reader)
        if previous is None:
            previous = (await self._stored(cursor, 1, reader)).previous
        while (found := self._followers.after(cursor, MAX_PAGE, reader=reader)) is None or found.events:
            newest = self._followers.newest  # rows may be there that nobody has been told of: they are pushed
            found = found or await self._stored(cursor, MAX_PAGE, reader)
            if one.ended.done():
                break
            events = [event for event in _linked(found) if event.seq <= newest]
            if events:
                messages = (sse.message(msgspec.json.encode(event), of=event.seq) for event in events)
                await one.out.send(b"".join(messages))
                previous = events[-1].seq
            cursor = previous if len(events) == MAX_PAGE else newest
        return previous

    async def _follow(self, one: StreamReader, principal: Principal) -> str:
        """Why it ends, once it does; it is never silent for long, and does not outlive the credential."""
        loop = asyncio.get_running_loop()
        left_s = LIFE_S if principal.recheck_s is None else min(LIFE_S, principal.recheck_s)
        if principal.expires_at is not None:
            left_s = min(left_s, (principal.expires_at - self._now()).total_seconds())
        end_at = loop.time() + left_s
        if self._closed:
            return "closing"
        while not (await asyncio.wait([one.ended], timeout=max(0.0, min(PING_S, end_at - loop.time()))))[0]:
            one.out.push(sse.PING)
            if loop.time() >= end_at:
                return "expired"
        return one.ended.result()

    async def _stored(self, after: int, limit: int, reader: str | None) -> Found:
        """As `Followers.after`, from the rows."""
        rows, previous, newest = await self._db.read(
            lambda connection: facts.events_after(connection, after, limit, reader=reader)
        )
        return Found(event_models(rows, previous), previous, newest)

    async def newest(self) -> EventPage:
        """No events, but the cursor from which what happens from now on is read."""
        return EventPage(events=[], cursor=self._followers.newest)

    async def of_job(self, principal: Principal, job_id: str, *, family: bool = False) -> EventPage:
        """Every event of one job, or of its ``family``, with the names of drivers; ``prev`` is the one before."""

        def query(connection: Connection) -> EventPage:
            record = visible(principal, find(connection, job_id))
            seen = {one.id: one for one in relatives(connection, principal, record)} if family else {job_id: record}
            rows, names = facts.events_of_jobs(connection, [*seen]), attempts.driver_names(connection, [*seen])
            events = event_models(rows, 0)
            for event in events:
                data, about = event.data, seen.get(event.job_id or "", record)
                if not isinstance(data, JobData):
                    continue
                if data.phase != "queued":  # nobody has a waiting job
                    data.driver_name = names.get((about.id, data.attempt), UNSET)
                if not knows_all(principal, about):
                    data.ledger = UNSET
                    if data.family is not UNSET:
                        data.family = kin(connection, principal, about)[0] or UNSET
                if data.error is not UNSET:
                    data.error = told(connection, principal, about, data.error) or UNSET
            return EventPage(events=events, cursor=rows[-1].seq if rows else 0)

        return await self._db.read(query)

    async def subscribe(self, principal: Principal, *, after: int | None = None) -> AsyncIterator[LabEvent]:
        """What happens after a cursor, or from now on, until the lab closes."""
        cursor = self._followers.newest if after is None else after
        while not self._closed:
            page = await self.page(principal, after=cursor, wait_s=MAX_WAIT_S)
            for event in page.events:
                yield event
            cursor = page.cursor


def _reader(principal: Principal) -> str | None:
    """Whose events one sees beside everybody's; None: all."""
    return None if allows(principal, Permission.JOBS_READ_ANY) else principal.name


def _linked(found: Found) -> list[LabEvent]:
    """The events, each with the reader's one before it."""
    previous = [found.previous, *(event.seq for event in found.events)]
    return [replace(event, prev=prev) for event, prev in zip(found.events, previous, strict=False)]

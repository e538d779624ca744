"""What the lab forgets: once a day, and in small bites, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from qpi_server.store import removal
from qpi_server.store.jobs import JobRecord

from .clock import Timer
from .job_edits import discard, let_go, remove
from .room import Room

log = logging.getLogger(__name__)
EVERY_S = 86_400.0
JOBS_AT_ONCE, ROWS_AT_ONCE = 25, 500
KEYS_DAYS = 7
"""How long an Idempotency-Key is remembered."""
SHELVES = 256
BY = "retention"
FORGET, SWEEP = "forget what is old", "free data without a job"


class Retention:
    """Deletes jobs, events and keys that are older than the lab's settings say, and data that no job has."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._timer: Timer | None = None

    def start(self) -> None:
        """Clean up now, and then every day."""
        self._room.outbox.tasks.start(self._sweep_blobs(), SWEEP)
        self._daily()

    def close(self) -> None:
        """Do not begin again."""
        if self._timer is not None:
            self._timer.cancel()

    def _daily(self) -> None:
        self._timer = self._room.clock.call_at(self._room.clock.monotonic() + EVERY_S, self._daily)
        self._room.outbox.tasks.start(self.run(), FORGET)

    async def run(self) -> None:
        """Everything that is due."""
        config = self._room.config
        if config.retention_days:
            await self._forget_jobs(config.retention_days)
        if config.events_retention_days:
            await self._forget_rows(config.events_retention_days, removal.forget_events)
        await self._forget_rows(KEYS_DAYS, removal.forget_keys)

    async def _forget_jobs(self, days: float) -> None:
        at = self._room.now()
        before = at - timedelta(days=days)

        def unit(connection: Connection) -> list[tuple[JobRecord, str | None]]:
            old = removal.ended_before(connection, before, JOBS_AT_ONCE)
            return [remove(connection, record, at, by=BY) for record in old]

        count = 0
        while gone := await self._room.store.write(unit):
            for record, blob in gone:
                await let_go(self._room, record, blob)
            count += len(gone)
        if count:
            log.info("%d jobs that ended more than %g days ago are deleted", count, days)

    async def _forget_rows(self, days: float, forget: Callable[..., int]) -> None:
        before = self._room.now() - timedelta(days=days)
        while await self._room.store.write(lambda c: forget(c, before, ROWS_AT_ONCE)) == ROWS_AT_ONCE:
            pass

    async def _sweep_blobs(self) -> None:
        """Free the data that a server which was killed had no more time to free, or no more time to write a row for."""
        for number in range(SHELVES):
            there = await asyncio.to_thread(self._room.blobs.shelf, number)
            if there:
                used = await self._room.store.read(partial(removal.blobs_in_use, shelf=f"{number:02x}"))
                for blob in sorted(set(there) - used):
                    await discard(self._room, blob)

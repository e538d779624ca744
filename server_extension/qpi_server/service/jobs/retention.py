"""What the lab forgets: once a day, and in small bites, so that nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from qpi_jupyter.core import Unavailable, times
from qpi_server.service.base import Context, Timer, Tx
from qpi_server.store import removal

from .edits import discard, remove

log = logging.getLogger(__name__)
DAY_S = 86_400.0
EVERY_S = DAY_S
JOBS_AT_ONCE, ROWS_AT_ONCE = 25, 500
KEYS_DAYS = 7
"""How long an Idempotency-Key is remembered."""
SHELVES = 256
BY = "retention"
FORGET, SWEEP = "forget what is old", "free data without a job"


class Retention:
    """Deletes jobs, events and keys that are older than the lab's settings say, and data that no job has."""

    def __init__(self, context: Context) -> None:
        self._context, self._db = context, context.db
        self._timer: Timer | None = None
        self._sweeping = False

    def start(self) -> None:
        """Clean up now, and then every day."""
        self._daily()

    def close(self) -> None:
        """Do not begin again."""
        if self._timer is not None:
            self._timer.cancel()

    def _daily(self) -> None:
        self._timer = self._context.clock.call_at(self._context.clock.monotonic() + EVERY_S, self._daily)
        self._context.tasks.start(self._sweep_blobs(), SWEEP)
        self._context.tasks.start(self.run(), FORGET)

    async def run(self) -> None:
        """Everything that is due."""
        config = self._context.config
        if config.retention_days:
            await self._forget_jobs(config.retention_days)
        if config.events_retention_days:
            await self._forget_rows(config.events_retention_days, removal.forget_events)
        await self._forget_rows(KEYS_DAYS, removal.forget_keys)

    async def _forget_jobs(self, days: float) -> None:
        before = times.after(self._context.now(), -days * DAY_S)

        def unit(tx: Tx) -> list[str | None]:
            old = removal.ended_before(tx.connection, before, JOBS_AT_ONCE)
            return [remove(tx, record, by=BY) for record in old]

        count = 0
        while gone := await self._db.write(unit):
            for blob in gone:
                await discard(self._context, blob)
            count += len(gone)
        if count:
            log.info("%d jobs that ended more than %g days ago are deleted", count, days)

    async def _forget_rows(self, days: float, forget: Callable[..., int]) -> None:
        before = times.after(self._context.now(), -days * DAY_S)
        while await self._db.write(lambda tx: forget(tx.connection, before, ROWS_AT_ONCE)) == ROWS_AT_ONCE:
            pass

    async def _sweep_blobs(self) -> None:
        if self._sweeping:
            return  # many results on a slow disk may take longer than a day
        self._sweeping = True
        try:
            await self._sweep_shelves()
        except Unavailable as error:
            log.warning("what no job has is freed tomorrow: %s", error.message)
        finally:
            self._sweeping = False

    async def _sweep_shelves(self) -> None:
        """Free the data that no job has, and say which jobs' data is gone.

        A server that was killed had no more time to free it, or to write a row for it; while a backup was made,
        nothing was freed.
        """
        lost = 0
        for number in range(SHELVES):
            there = set(await asyncio.to_thread(self._context.blobs.shelf, number))
            used = await self._db.read(partial(removal.blobs_in_use, shelf=f"{number:02x}"))
            for blob in sorted(there - used):
                await discard(self._context, blob)
            # once more: what came between the two looks is there
            lost += len(used - there and used - set(await asyncio.to_thread(self._context.blobs.shelf, number)))
        if lost:
            log.error(
                "The data of %d results is missing in %s: bring it back from a backup", lost, self._context.blobs.folder
            )

"""How a job's state changes, decided by the table of the core, and how far the running ones are.

A change is a unit of work of its own. Progress is in memory for readers, and once a second on disk for the stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from qpi_jupyter.core import Event, Job, JobState, Step, advance
from qpi_jupyter.wire.events import JobProgress
from qpi_server.service.base import Context, Tx
from qpi_server.service.base import job as topic_of
from qpi_server.store import JobRecord, jobs

from .access import find
from .rows import RowBook
from .transitions import Change, carry_out, write_event

Guard = Callable[[JobRecord], None]


class Lifecycle:
    """Changes single jobs, and knows how far the running ones are and what they have measured."""

    def __init__(self, context: Context) -> None:
        self._db = context.db
        self.rows = RowBook(context)
        self.progress = ProgressBook(context, self.rows)
        context.commits.on(Change, lambda change: context.metrics.observe(change.before, change.after))

    async def decide(
        self, job_id: str, decision: Callable[[Job], Step], guard: Guard | None = None, *, sender: str | None = None
    ) -> Change:
        """Change a job as ``decision`` says.

        Raises
        ------
        NotFound
            there is no such job; or what ``guard`` raises.
        """

        def unit(tx: Tx) -> Change:
            record = find(tx.connection, job_id)
            if guard is not None:
                guard(record)
            return carry_out(tx, record, decision(record.job), seen=self.progress.version, sender=sender)

        return await self._db.write(unit)

    async def advance(self, job_id: str, event: Event) -> Change:
        """`decide` by the lifecycle table."""
        return await self.decide(job_id, lambda job: advance(job, event))


TELL_S = 0.1
"""Readers hear of a job's progress at most this often."""
WRITE_S = 1.0
"""... and the event stream this often; a job that is shorter writes none."""


@dataclass(slots=True, kw_only=True)
class Live:
    """One running attempt."""

    driver: str
    attempt: int
    version: int
    fraction: float = 0.0
    told_at: float
    written_at: float


class ProgressBook:
    """The progress of every running attempt. Its versions go on from the row's, and the next row's from them."""

    def __init__(self, context: Context, rows: RowBook) -> None:
        self._clock, self._db, self._followers = context.clock, context.db, context.followers
        self._rows = rows
        self._live: dict[str, Live] = {}
        context.commits.on(Change, self._changed)

    def version(self, job_id: str) -> int:
        """The latest version that a reader may have seen; 0 if only the row counts."""
        live = self._live.get(job_id)
        return 0 if live is None else live.version

    def fraction(self, record: JobRecord) -> float:
        live = self._live.get(record.id)
        return record.progress if live is None or live.attempt != record.job.attempt else live.fraction

    def rows(self, record: JobRecord) -> int:
        """How many rows of a sweep are measured and can be looked at."""
        growing = self._rows.get(record.job)
        return 0 if growing is None else growing.measured

    def _changed(self, change: Change) -> None:
        if change.after.job.state not in jobs.OPEN:
            self._live.pop(change.after.id, None)

    async def note(self, driver: str, job_id: str, attempt: int, fraction: float) -> None:
        """A driver says how far its attempt is; what is not so, or too soon after the last, is dropped."""
        now = self._clock.monotonic()
        live = self._live.get(job_id)
        if live is None or (live.driver, live.attempt) != (driver, attempt):
            live = await self._begin(driver, job_id, attempt, now)
            if live is None:
                return
        elif now - live.told_at < TELL_S:
            return
        live.fraction, live.told_at = min(1.0, max(live.fraction, fraction)), now
        live.version += 1
        if now - live.written_at >= WRITE_S:
            live.written_at = now
            await self._write(job_id, replace(live))
        self._followers.tell(topic_of(job_id))

    async def _begin(self, driver: str, job_id: str, attempt: int, now: float) -> Live | None:
        record = await self._db.read(lambda connection: jobs.find(connection, job_id))
        if record is None:
            return None
        job = record.job
        if (job.driver, job.attempt, job.state) != (driver, attempt, JobState.RUNNING):
            return None
        live = Live(driver=driver, attempt=attempt, version=record.version, told_at=now, written_at=now)
        self._live[job_id] = live
        return live

    async def _write(self, job_id: str, live: Live) -> None:
        def unit(tx: Tx) -> None:
            before = jobs.find(tx.connection, job_id)
            if before is None or (before.job.state, before.job.attempt) != (JobState.RUNNING, live.attempt):
                return
            version = max(before.version + 1, live.version)
            after = replace(before, progress=live.fraction, version=version)
            jobs.save(tx.connection, before, after)
            write_event(tx, JobProgress, after, rows=self.rows(after))

        await self._db.write(unit)

"""How far running jobs are: in memory for readers, once a second on disk for the event stream."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from qpi_jupyter.core.jobs import JobState
from qpi_jupyter.wire.events import EventName
from qpi_server.store import Store, facts, jobs
from qpi_server.store.jobs import JobRecord

from .clock import Clock
from .outbox import Outbox
from .transitions import changed_event

TELL_S = 0.1
"""Readers hear of a job's progress at most this often."""
WRITE_S = 1.0
"""... and the event stream this often; a job that is shorter writes none."""


@dataclass(slots=True, kw_only=True)
class Live:
    """One running attempt."""

    driver: str
    attempt: int
    owner: str
    version: int
    fraction: float = 0.0
    told_at: float
    written_at: float


class ProgressBook:
    """The progress of every running attempt. Its versions go on from the row's, and the next row's from them."""

    def __init__(self, clock: Clock, store: Store, outbox: Outbox) -> None:
        self._clock, self._store, self._outbox = clock, store, outbox
        self._live: dict[str, Live] = {}

    def version(self, job_id: str) -> int:
        """The latest version that a reader may have seen; 0 if only the row counts."""
        live = self._live.get(job_id)
        return 0 if live is None else live.version

    def fraction(self, record: JobRecord) -> float:
        live = self._live.get(record.id)
        return record.progress if live is None or live.attempt != record.job.attempt else live.fraction

    def forget(self, job_id: str) -> None:
        self._live.pop(job_id, None)

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
        self._outbox.told(job_id, live.owner)

    async def _begin(self, driver: str, job_id: str, attempt: int, now: float) -> Live | None:
        record = await self._store.read(lambda connection: jobs.find(connection, job_id))
        if record is None:
            return None
        job = record.job
        if (job.driver, job.attempt, job.state) != (driver, attempt, JobState.RUNNING):
            return None
        live = Live(
            driver=driver, attempt=attempt, owner=job.owner, version=record.version, told_at=now, written_at=now
        )
        self._live[job_id] = live
        return live

    async def _write(self, job_id: str, live: Live) -> None:
        at = self._clock.now()

        def unit(connection: Connection) -> None:
            before = jobs.find(connection, job_id)
            if before is None or (before.job.state, before.job.attempt) != (JobState.RUNNING, live.attempt):
                return
            version = max(before.version + 1, live.version)
            after = replace(before, progress=live.fraction, version=version)
            jobs.save(connection, before, after)
            facts.add_event(connection, changed_event(after, at, EventName.JOB_PROGRESS))

        await self._store.write(unit)

"""What running attempts have measured so far: in memory, and gone with the attempt."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from qpi_jupyter.core import MAX_CIRCUITS, Job, Rejected
from qpi_jupyter.wire.frames import MAX_ROWS_BYTES, RowChunk, Rows, RowsTaken
from qpi_server.service.base import Context
from qpi_server.service.base import job as topic_of
from qpi_server.store import jobs

from .access import find
from .result_checks import due
from .transitions import Change

LAB_ROWS_BYTES = 8 * MAX_ROWS_BYTES
"""Of all attempts together; one that would have more goes on unseen."""


@dataclass(slots=True, kw_only=True)
class Growing:
    """What is there of one attempt."""

    driver: str
    attempt: int
    circuits: int | None
    """How many rows there will be, where the lab can tell."""
    chunks: list[RowChunk] = field(default_factory=list)
    rows: set[int] = field(default_factory=set)
    nbytes: int = 0
    measured: int = 0
    drawings: list[dict[str, Any]] = field(default_factory=list)
    version: int = 0


class RowBook:
    """The rows of every running attempt."""

    def __init__(self, context: Context) -> None:
        self._clock, self._db, self._followers = context.clock, context.db, context.followers
        self._growing: dict[str, Growing] = {}
        self._versions = itertools.count(1)
        context.commits.on(Change, self._changed)

    def get(self, job: Job) -> Growing | None:
        """What there is of the attempt that the job is in."""
        found = self._growing.get(job.id)
        return None if found is None or found.attempt != job.attempt or job.state not in jobs.OPEN else found

    def share(self, job_id: str) -> float | None:
        """The measured share of a job whose rows are known and counted."""
        found = self._growing.get(job_id)
        return found.measured / found.circuits if found is not None and found.circuits else None

    def take(self, driver: str, said: Rows, check: Callable[[Job], None]) -> RowsTaken:
        """A driver hands rows over. What the lab has already is passed over; what comes too early is asked for again.

        Raises
        ------
        NotFound, Forbidden
            there is no such job; it, or the attempt, is another driver's (``check`` says so).
        Rejected
            a row that the job has not, or that was there, or more bytes than an attempt may have.
        """
        growing = self._growing.get(said.job_id)
        if growing is None or (growing.driver, growing.attempt) != (driver, said.attempt):
            growing = self._begun(driver, said, check)
            if growing is None:
                return RowsTaken(have=0, wanted=False)
        have = len(growing.chunks)
        if said.after > have:
            return RowsTaken(have=have)
        new = said.chunks[have - said.after :]
        nbytes = sum(len(chunk.data) for chunk in new)
        _check(growing, said, new, nbytes)
        if sum(one.nbytes for one in self._growing.values()) + nbytes > LAB_ROWS_BYTES:
            return RowsTaken(have=have, wanted=False)
        for chunk in new:
            growing.rows.update(chunk.rows)
        growing.chunks += new
        growing.nbytes += nbytes
        growing.measured = max(growing.measured, said.measured)
        growing.drawings = said.drawings
        growing.version = next(self._versions)
        self._followers.tell(topic_of(said.job_id))
        return RowsTaken(have=len(growing.chunks))

    def _begun(self, driver: str, said: Rows, check: Callable[[Job], None]) -> Growing | None:
        now = self._clock.now()

        def query(connection: Connection) -> Growing | None:
            record = find(connection, said.job_id)
            check(record.job)
            if record.job.attempt != said.attempt or record.job.state not in jobs.OPEN:
                return None
            wanted = due(connection, record, said.attempt, now)
            return Growing(driver=driver, attempt=said.attempt, circuits=wanted.circuits)

        if (growing := self._db.glance(query)) is not None:
            self._growing[said.job_id] = growing
        return growing

    def _changed(self, change: Change) -> None:
        job = change.after.job
        if self.get(job) is None:
            self._growing.pop(job.id, None)


def _check(growing: Growing, said: Rows, new: list[RowChunk], nbytes: int) -> None:
    limit = MAX_CIRCUITS if growing.circuits is None else growing.circuits
    rows = [row for chunk in new for row in chunk.rows]
    if (highest := max(rows, default=-1)) >= limit:
        raise _refusal(f"it has {limit:,} rows, counted from 0, and not a row {highest:,}")
    if len(set(rows)) < len(rows) or not growing.rows.isdisjoint(rows):
        again = next(row for row in rows if row in growing.rows or rows.count(row) > 1)
        raise _refusal(f"its row {again:,} was handed over before")
    if said.measured > limit:
        raise _refusal(f"{said.measured:,} of its {limit:,} rows cannot be measured")
    if growing.nbytes + nbytes > MAX_ROWS_BYTES:
        raise _refusal(f"an attempt may hand over {MAX_ROWS_BYTES:,} bytes before it ends")


def _refusal(what: str) -> Rejected:
    return Rejected(f"These rows of a running job are not taken: {what}.", code="bad_rows")

"""Works through the jobs that were stored before anybody could check them: a person's one by one, people side by side.

A job ends here only if its program is at fault. What could not be checked waits and is tried again: when a driver says
hello, and after a rest that grows with every try in vain.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from qpi_jupyter.core import (
    Estimate,
    Event,
    EventKind,
    Job,
    JobState,
    NotFound,
    QpiError,
    RetryPolicy,
    Unavailable,
    programs_fault,
)
from qpi_jupyter.wire.events import JobChecked
from qpi_server.service.base import Context, Timer, Timers, Tx
from qpi_server.service.lifecycle import Change, Lifecycle, Queued, write_event
from qpi_server.service.links import Link, Linked, Links
from qpi_server.store import JobRecord, jobs, unchecked, usage

from .checking import Checker, StoredProgram, checked, stored_program
from .submit import Stored

log = logging.getLogger(__name__)
_PEOPLE = 16
"""Whose jobs are being checked at the same time."""
_HEAD = 16
"""Jobs of a person that take turns after a try in vain."""
FIRST_REST_S, LAST_REST_S = 1.0, 60.0


@dataclass(slots=True, eq=False)
class _Line:
    """Somebody's unchecked jobs on one QPU: one is being checked, or they rest after a try in vain."""

    asking: bool = False
    failures: int = 0
    why: str = ""
    """What went wrong the last time."""
    rest: Timer | None = None
    tried: Counter[str] = field(default_factory=Counter)
    """Tries in vain, by job."""


class Unchecked:
    """The unchecked jobs of every QPU."""

    def __init__(self, context: Context, links: Links, lifecycle: Lifecycle, checker: Checker) -> None:
        self._context, self._clock, self._db = context, context.clock, context.db
        self._links, self._lifecycle, self._checker = links, lifecycle, checker
        self._lines: dict[str, dict[str, _Line]] = defaultdict(dict)
        self._last: dict[str, str] = {}
        """Whose turn it was last."""
        self._looking: set[str] = set()
        self._again: set[str] = set()
        self._retries = Timers(context.clock)
        context.commits.on(Stored, self._stored)
        context.commits.on(Linked, self._linked)
        context.commits.on(Change, self._changed)

    def _wake(self, qpu: str) -> None:
        """There may be one more unchecked job."""
        if qpu in self._looking:
            self._again.add(qpu)
        elif self._links.online(qpu):
            self._looking.add(qpu)
            self._context.tasks.start(self._look(qpu), f"check {qpu}")

    def _stored(self, stored: Stored) -> None:
        job = stored.record.job
        if not job.checked and job.state is JobState.QUEUED:  # one that waits for others: when they are done
            self._wake(job.qpu)

    def _changed(self, change: Change) -> None:
        """A job that waited for others may be one to check now."""
        if change.queued and not change.after.job.checked:
            self._wake(change.after.job.qpu)

    def _linked(self, linked: Linked) -> None:
        """A driver has come: nobody rests any more."""
        lines = self._lines[linked.qpu]
        for owner, line in list(lines.items()):
            if line.rest is not None:
                line.rest.cancel()
                del lines[owner]
        self._wake(linked.qpu)

    def why(self, job: Job) -> str:
        """Why the latest check of the owner's jobs came to nothing; empty if it did not."""
        line = self._lines.get(job.qpu, {}).get(job.owner)
        return "" if line is None else line.why

    def close(self) -> None:
        self._retries.close()
        for lines in self._lines.values():
            for line in lines.values():
                if line.rest is not None:
                    line.rest.cancel()

    async def _look(self, qpu: str) -> None:
        """Begin the check of the next job of everybody who has one and whose turn it is."""
        lines = self._lines[qpu]
        try:
            again = True
            while again:
                self._again.discard(qpu)
                room = _PEOPLE - sum(line.asking for line in lines.values())
                barred = {owner for owner, line in lines.items() if line.asking or line.rest is not None}
                tried = sum((line.tried for line in lines.values()), Counter[str]())
                heads = _Heads(qpu, self._last.get(qpu, ""), barred, tried, room)
                for record, program in await self._db.read(heads) if room else ():
                    line = lines.setdefault(record.job.owner, _Line())
                    line.asking = True
                    self._last[qpu] = record.job.owner
                    self._context.tasks.start(self._check(line, record, program), f"check {record.id}")
                again = qpu in self._again
        except Unavailable as problem:
            log.warning("the unchecked jobs of %s cannot be read: %s", qpu, problem)
            self._retries.after(FIRST_REST_S, qpu, lambda: self._wake(qpu))
        finally:
            self._looking.discard(qpu)

    async def _check(self, line: _Line, record: JobRecord, program: StoredProgram) -> None:
        qpu, owner = record.job.qpu, record.job.owner
        try:
            await self._settle(record, program)
        except QpiError as problem:
            log.info("job %s is not checked yet: %s", record.id, problem)
            self._rest(line, record, problem.message)
        except Exception:
            log.exception("checking job %s", record.id)
            self._rest(line, record, "Internal error; see the server log.")
        else:
            del self._lines[qpu][owner]
        finally:
            line.asking = False
        self._wake(qpu)

    def _rest(self, line: _Line, record: JobRecord, why: str) -> None:
        """Let the person's other jobs go first, and all of them wait a while."""
        line.failures += 1
        line.tried[record.id] += 1
        line.why = why
        rest_s = min(LAST_REST_S, FIRST_REST_S * 2.0 ** min(line.failures - 1, 32))

        def over() -> None:
            line.rest = None
            self._wake(record.job.qpu)

        line.rest = self._clock.call_at(self._clock.monotonic() + rest_s, over)

    async def _settle(self, record: JobRecord, program: StoredProgram) -> None:
        """Check one job, and write what came out.

        Raises
        ------
        QpiError
            nothing came out, or it could not be written.
        """
        job, timeout_s = record.job, self._context.config.check_timeout_s
        try:
            link, estimate = await self._checker.ask(job.qpu, program, job.owner, timeout_s)
        except QpiError as error:
            if not programs_fault(error):
                raise
            event = Event(kind=EventKind.ERRORED, at=self._clock.now(), error=error.to_dict())
            with contextlib.suppress(NotFound):  # cancelled and deleted meanwhile
                await self._lifecycle.advance(record.id, event)
        else:
            await self._accept(link, record, estimate)

    async def _accept(self, link: Link, record: JobRecord, estimate: Estimate) -> None:
        retry = RetryPolicy.SIMULATOR if self._context.qpus.get(link.qpu).simulator else RetryPolicy.HARDWARE

        def unit(tx: Tx) -> None:
            before = jobs.find(tx.connection, record.id)
            if before is None or before.job.state is not JobState.QUEUED:
                return
            correction = usage.learnt(tx.connection, link.qpu).correction
            job = checked(before.job, estimate, link.timeout_s, correction).with_(retry=retry)
            after = replace(
                before,
                job=job,
                version=before.version + 1,
                num_circuits=estimate.num_circuits,
                raw_estimate_s=estimate.estimate_s,
            )
            jobs.save(tx.connection, before, after)
            write_event(tx, JobChecked, after)
            tx.tell(Queued(job))

        await self._db.write(unit)


@dataclass(frozen=True, slots=True)
class _Heads:
    """The query: the next job, with its program, of each of the next people that are not ``barred``."""

    qpu: str
    after: str
    barred: Collection[str]
    tried: Mapping[str, int]
    room: int

    def __call__(self, connection: Connection) -> list[tuple[JobRecord, StoredProgram]]:
        found: list[tuple[JobRecord, StoredProgram]] = []
        for owner in unchecked.owners(connection, self.qpu, self.after):
            if len(found) == self.room:
                break
            if owner in self.barred:
                continue
            waiting = unchecked.first_of(connection, self.qpu, owner, 1) if not self.tried else []
            # The very first may be a row that cannot be read.
            waiting = waiting or unchecked.first_of(connection, self.qpu, owner, _HEAD)
            record = min(waiting, key=lambda r: self.tried.get(r.id, 0), default=None)
            if record is not None and (program := stored_program(connection, record)) is not None:
                found.append((record, program))
        return found

"""Which attempts are in hand: staged, running, measured, and ended but not yet reported."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Protocol

from qpi_jupyter.core import Calibration, Faulted, QpiError, Rejected, Unavailable, length
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import Assignment, Held, Report
from qpi_jupyter.wire.tasks import ended

from .messages import Key, Rows
from .place import Outcome, Place, Ticket
from .spool import Spool
from .transfer import Transfer

log = logging.getLogger(__name__)
_REMEMBERED_ABORTS = 64
_MAX_UNDELIVERED = 64
"""Results on disk that the lab does not take: more would only fill the disk."""


class Lab(Protocol):
    """Whom the bench tells; all of these survive a link that is down, and only `begins` waits."""

    def started(self, key: Key) -> None: ...

    async def begins(self, key: Key) -> bool:
        """Say that an instrument is about to begin, and wait until the lab has that on disk, for however long.

        False: the lab does not want the attempt any more.
        """

    def progressed(self, key: Key, fraction: float) -> None: ...

    def measured(self, key: Key, rows: Rows) -> None:
        """Bring to the lab what an attempt has measured so far, until it has ended."""

    def unseen(self, key: Key) -> None:
        """It has ended."""

    def report(self, report: Report) -> None:
        """Tell what became of an attempt until the lab has heard; then somebody calls `Bench.forget`."""

    def calibrated(self, calibration: Calibration) -> None:
        """Tell the lab which values the next run is measured with, if these are others than it knows."""

    def has_room(self) -> None:
        """There may be room for an attempt now."""


class Bench:
    """Takes assignments, runs them on places, answers for every attempt it was given.

    An attempt runs at most once: one that is in hand or in the spool is refused, and the lab, which sends each attempt
    once, never repeats one to a later process. So no record of past attempts is kept.
    """

    def __init__(self, lab: Lab, spool: Spool, transfer: Transfer, *, timeout_s: float) -> None:
        self._lab, self._spool, self._transfer, self._timeout_s = lab, spool, transfer, timeout_s
        self._tickets: dict[Key, Ticket] = {}
        self._staged: deque[Ticket] = deque()
        self._aborted: deque[Key] = deque(maxlen=_REMEMBERED_ABORTS)
        self._fetching: dict[Key, asyncio.Task[None]] = {}
        self._beginning: dict[Key, asyncio.Task[None]] = {}
        self._promised: set[Place] = set()
        self._spooled = {entry.key for entry in spool.entries()}
        self.places: list[Place] = []
        self.draining = False
        self.run_s: float | None = None
        """How long the latest run took."""

    # --- what the lab asks ---------------------------------------------------------------------------------------

    def room(self) -> int:
        """How many more attempts it can take: one running and one staged for each place whose child is warm."""
        if self.draining or len(self._spooled) >= _MAX_UNDELIVERED or not self._spool.has_space():
            return 0
        busy = sum(ticket.phase in ("staged", "running", "measured") for ticket in self._tickets.values())
        return max(0, 2 * sum(place.up for place in self.places) - busy)

    def held(self) -> list[Held]:
        """Every attempt that it will still answer for."""
        phases = {"ended": "running"}
        held = [
            Held(job_id=key.job_id, attempt=key.attempt, phase=phases.get(ticket.phase, ticket.phase))
            for key, ticket in self._tickets.items()
        ]
        return held + [Held(job_id=key.job_id, attempt=key.attempt, phase="measured") for key in self._spooled]

    @property
    def staged(self) -> int:
        """How many attempts wait for a place."""
        return len(self._staged)

    def running(self) -> list[Key]:
        """The attempts whose program runs."""
        return [key for key, ticket in self._tickets.items() if ticket.phase == "running"]

    def take(self, assignment: Assignment) -> None:
        """Accept an assignment: run it now, or stage it."""
        key = Key(assignment.job_id, assignment.attempt)
        if key in self._tickets or key in self._spooled or assignment.program is None:
            log.error("job %s, attempt %d: it is in hand already, or has no program: ignored", *key)
            return
        timeout_s = assignment.timeout_s or self._timeout_s
        ticket = Ticket(
            key=key, program=assignment.program, timeout_s=timeout_s, calibration=assignment.calibration
        )  # fmt: skip
        self._tickets[key] = ticket
        reach("assigned_received")
        try:
            self._spool.path(key)
        except Rejected as error:
            self.ended(ticket, Outcome(outcome="interrupted", error=error.to_dict()))
            return
        if key in self._aborted or self.draining:
            self._release(ticket)
        elif ticket.program.sources:
            self._staged.append(ticket)
            self.available()
        else:
            self._fetching[key] = asyncio.get_running_loop().create_task(self._stage_fetched(ticket))

    def abort(self, key: Key) -> None:
        """Stop an attempt, or drop it if it has not begun."""
        ticket = self._tickets.get(key)
        if ticket is None:
            # It may be about an assignment that was read a moment ago and is not here yet.
            self._aborted.append(key)
        elif (task := self._beginning.pop(key, None)) is not None:
            task.cancel()
            self.ended(ticket, Outcome(outcome="aborted"))
        elif ticket.phase == "staged":
            self._release(ticket)
        elif ticket.phase == "running":
            next(place for place in self.places if place.ticket is ticket).stop("cancel")

    def recall(self, key: Key) -> None:
        """Give an attempt back if it waits here; one that has begun, or is about to, goes on."""
        ticket = self._tickets.get(key)
        if ticket is not None and not ticket.announced and (ticket in self._staged or key in self._fetching):
            self._release(ticket)

    def drop(self, key: Key) -> None:
        """The lab wants nothing of this attempt any more."""
        if key in self._tickets:
            self.abort(key)
        elif key in self._spooled:
            self._spool.archive(key, "the lab has no use for it")
            self.forget(key)

    def drain(self) -> None:
        """Take no more; give back what has not begun."""
        self.draining = True
        for ticket in [t for t in self._tickets.values() if t.phase == "staged" and t.key not in self._beginning]:
            self._release(ticket)

    def interrupt(self) -> None:
        """Stop what still runs: the driver ends."""
        for place in self.places:
            place.stop("drain")

    def forget(self, key: Key) -> None:
        """The lab has heard how the attempt ended, or has its result."""
        self._tickets.pop(key, None)
        self._spooled.discard(key)
        self._lab.has_room()

    @property
    def idle(self) -> bool:
        """Nothing is in hand, and nothing waits in the spool."""
        return not self._tickets and not self._spooled

    @property
    def owes_reports(self) -> bool:
        """The lab has not heard yet how some attempt ended."""
        return bool(self._tickets)

    # --- what places say -----------------------------------------------------------------------------------------

    def available(self) -> None:
        """Give staged tickets to free places, oldest first."""
        for place in self.places:
            if self._staged and place.free and place not in self._promised:
                ticket = self._staged.popleft()
                if place.instrument:
                    self._promised.add(place)
                    ticket.announced = True
                    work = self._begin_instrument(place, ticket)
                    self._beginning[ticket.key] = asyncio.get_running_loop().create_task(work)
                else:
                    place.begin(ticket)
        self.warm_up()
        self._lab.has_room()

    def warm_up(self) -> None:
        """While no place is free, start the children of as many as attempts wait, and of one more: a driver holds as
        many children as it has needed, and one."""
        if not any(place.free for place in self.places):
            cold = [place for place in self.places if not place.wanted.is_set()]
            starting = sum(place.wanted.is_set() and not place.up for place in self.places)
            for place in cold[: max(0, len(self._staged) + 1 - starting)]:
                place.wanted.set()

    async def _begin_instrument(self, place: Place, ticket: Ticket) -> None:
        """Begin once the lab knows: an instrument that has begun must never look as if it had not."""
        try:
            wanted = await self._lab.begins(ticket.key)
        finally:
            self._promised.discard(place)
            self._beginning.pop(ticket.key, None)
        if not wanted:
            self.ended(ticket, Outcome(outcome="aborted"))
        elif place.free:
            place.begin(ticket)
            return
        else:
            self._staged.appendleft(ticket)
        self.available()

    def unavailable(self, problem: QpiError) -> None:
        """Without any place left, staged tickets go back to the lab."""
        if not any(place.up for place in self.places):
            for ticket in list(self._staged):
                self._release(ticket)

    def started(self, ticket: Ticket) -> None:
        self._lab.started(ticket.key)

    def progressed(self, ticket: Ticket, fraction: float) -> None:
        self._lab.progressed(ticket.key, fraction)

    def measured(self, ticket: Ticket, rows: Rows) -> None:
        self._lab.measured(ticket.key, rows)

    def calibrated(self, calibration: Calibration) -> None:
        self._lab.calibrated(calibration)

    def ended(self, ticket: Ticket, outcome: Outcome) -> None:
        """An attempt is over: its result is in the spool, or there is none."""
        self._lab.unseen(ticket.key)
        if outcome.busy_s:
            self.run_s = outcome.busy_s
        _log_end(ticket.key, outcome)
        if outcome.outcome == "spooled":
            del self._tickets[ticket.key]
            self._spooled.add(ticket.key)
            self._transfer.deliver(ticket.key)
        else:
            ticket.phase = "ended"
            self.report(ticket.key, outcome)

    def report(self, key: Key, outcome: Outcome) -> None:
        """Tell the lab of an attempt that has no result."""
        assert outcome.outcome != "spooled", "a result is delivered, not reported"
        self._lab.report(
            Report(epoch=0, outcome=outcome.outcome, busy_s=outcome.busy_s, error=outcome.error, **key._asdict())
        )

    async def close(self) -> None:
        await ended(*self._fetching.values(), *self._beginning.values())

    # --- staging -------------------------------------------------------------------------------------------------

    def _release(self, ticket: Ticket) -> None:
        if ticket in self._staged:
            self._staged.remove(ticket)
        if (task := self._fetching.pop(ticket.key, None)) is not None:
            task.cancel()
        self.ended(ticket, Outcome(outcome="released"))
        self._lab.has_room()

    async def _stage_fetched(self, ticket: Ticket) -> None:
        try:
            ticket.program.sources = await self._transfer.fetch(ticket.program.sha256)
        except Unavailable:
            # The lab is away, which says nothing about the job: it has not begun, and costs no try.
            del self._fetching[ticket.key]
            self._release(ticket)
        except QpiError as error:
            del self._fetching[ticket.key]
            fault = Faulted(f"The driver cannot get the program: {error.message}", code="program_fetch")
            self.ended(ticket, Outcome(outcome="interrupted", error=fault.to_dict()))
        else:
            del self._fetching[ticket.key]
            self._staged.append(ticket)
            self.available()


_ENDS = {"spooled": "completed", "released": "given back", "errored": "failed", "aborted": "stopped"}
"""What the log calls an outcome, where it calls it otherwise."""


def _log_end(key: Key, outcome: Outcome) -> None:
    """The line that every attempt has in the driver's log, and below it where a failed one failed."""
    end, ran = _ENDS.get(outcome.outcome, outcome.outcome), f" after {length(outcome.busy_s)}" if outcome.busy_s else ""
    if outcome.error is None:
        log.info("job %s, attempt %d: %s%s", *key, end, ran)
        return
    log.warning("job %s, attempt %d: %s%s: %s", *key, end, ran, outcome.error["message"])
    if outcome.traceback:
        log.warning("%s", outcome.traceback)

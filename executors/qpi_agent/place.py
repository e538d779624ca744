"""One place: room for one running job, and the warm child that runs it."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from dataclasses import dataclass
from typing import Literal, Protocol

from qpi_jupyter.core import Calibration, Faulted, QpiError, Rejected, TooLarge, calibration_of
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import ProgramRef

from .messages import Calibrated, Cancel, Failed, Key, Measured, Open, Progress, Rows, Run, Spooled
from .process import Child, Died, ForkServer, spawn_in_the_end
from .spool import Spool

log = logging.getLogger(__name__)
Reason = Literal["cancel", "timeout", "drain"]
SHORT_S = 0.05
"""What runs no longer than this says nothing before its end: a result says by itself that its program ran."""


@dataclass(slots=True, eq=False, kw_only=True)
class Ticket:
    """One attempt in hand. ``phase``: staged, running, measured (on disk or about to be), or ended (to be reported)."""

    key: Key
    program: ProgramRef
    timeout_s: float
    calibration: str = ""
    """The id of the only one that it may run on; empty: any."""
    phase: Literal["staged", "running", "measured", "ended"] = "staged"
    cancelled: bool = False
    announced: bool = False
    """The lab was told that it begins: it does not go back any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended; ``spooled`` when its result is on disk."""

    outcome: Literal["spooled", "released", "errored", "interrupted", "aborted"]
    busy_s: float = 0.0
    error: dict[str, object] | None = None
    traceback: str = ""


class PlaceListener(Protocol):
    """Whom a place tells."""

    def available(self) -> None:
        """A place can take a ticket."""

    def unavailable(self, problem: QpiError) -> None:
        """A place cannot start its executor; it tries again."""

    def started(self, ticket: Ticket) -> None:
        """The program runs, and not only for a moment."""

    def progressed(self, ticket: Ticket, fraction: float) -> None: ...

    def measured(self, ticket: Ticket, rows: Rows) -> None:
        """There is something to be seen of it."""

    def calibrated(self, calibration: Calibration) -> None:
        """The next run is measured with these values."""

    def ended(self, ticket: Ticket, outcome: Outcome) -> None: ...


class Place:
    """Keeps one run child alive and runs one ticket at a time on it.

    To stop a run it asks, then terminates, then kills, ``grace_s`` apart: the last is the only thing that stops a
    simulator deep in its C++ code.
    """

    def __init__(
        self, opening: Open, forks: ForkServer, spool: Spool, listener: PlaceListener, grace_s: float | None
    ) -> None:
        self._opening, self._forks, self._spool, self._listener = opening, forks, spool, listener
        self._grace_s = grace_s
        self._child: Child | None = None
        self._task: asyncio.Task[None] | None = None
        self._stop: Stop | None = None
        self._telling: asyncio.TimerHandle | None = None
        """Says that the run has begun, unless that was said."""
        self.wanted = asyncio.Event()
        """Its child is to start."""
        self.ticket: Ticket | None = None
        self.instrument = False
        """Whether a run changes something that no repeat undoes: then the lab has it on disk before it begins."""

    @property
    def up(self) -> bool:
        """Its child is warm, be it at work or not."""
        return self._child is not None and self._child.alive

    @property
    def free(self) -> bool:
        return self.up and self.ticket is None

    async def live(self) -> None:
        """Start the child, once it is wanted, and again whenever it ends."""
        await self.wanted.wait()
        while True:
            self._child, manifest = await spawn_in_the_end(self._opening, self._forks, self._failed)
            self.instrument = not manifest.simulator
            if self._grace_s is None:
                self._grace_s = 0.5 if manifest.simulator else 5.0
            self._listener.calibrated(calibration_of(manifest))
            self._listener.available()
            died = await asyncio.shield(self._child.exited)
            log.info("%s; a new one starts", died)
            if self._task is not None:
                await self._task

    def begin(self, ticket: Ticket) -> None:
        """Run a ticket; the place is free."""
        assert self._child is not None
        assert self._grace_s is not None
        assert self.free
        ticket.phase = "running"
        self.ticket = ticket
        self._stop = Stop(self._child, ticket, self._grace_s)
        path = str(self._spool.path(ticket.key))
        self._child.send(Run(key=ticket.key, program=ticket.program, path=path, calibration=ticket.calibration))
        if not self.instrument:
            self._telling = asyncio.get_running_loop().call_later(SHORT_S, self._tell_started, ticket)
        work = self._run(self._child, ticket, self._stop)
        self._task = asyncio.get_running_loop().create_task(work, name=f"run {ticket.key}")

    def stop(self, reason: Reason) -> None:
        """Stop the running ticket, unless it is measured already."""
        if self._stop is not None:
            self._stop.begin(reason)

    async def close(self) -> None:
        """End the child, whatever it does."""
        if self._child is not None:
            await self._child.stop(0.0 if self.ticket is not None else self._grace_s or 0.5)
        if self._task is not None:
            await self._task

    def _failed(self, problem: QpiError, wait_s: float) -> None:
        log.error("the executor does not start (again in %.1f s): %s", wait_s, problem)
        self._listener.unavailable(problem)

    def _tell_started(self, ticket: Ticket) -> None:
        if self._hush():
            self._listener.started(ticket)

    def _hush(self) -> bool:
        """Do not say any more that the run has begun; whether that was still to be said."""
        telling, self._telling = self._telling, None
        if telling is not None:
            telling.cancel()
        return telling is not None

    async def _run(self, child: Child, ticket: Ticket, stop: Stop) -> None:
        reach("run_started")
        try:
            outcome = await self._outcome(child, ticket, stop)
        finally:
            stop.over()
            self._hush()
            self.ticket = self._stop = self._task = None
        self._listener.ended(ticket, outcome)
        if self.up:
            self._listener.available()

    async def _outcome(self, child: Child, ticket: Ticket, stop: Stop) -> Outcome:
        start = time.monotonic()
        try:
            while True:
                answer = await child.receive()
                if isinstance(answer, Progress):
                    self._tell_started(ticket)
                    self._listener.progressed(ticket, answer.fraction)
                elif isinstance(answer, Rows):
                    self._tell_started(ticket)
                    self._listener.measured(ticket, answer)
                elif isinstance(answer, Calibrated):
                    self._listener.calibrated(answer.calibration)
                elif isinstance(answer, Measured):
                    stop.over()
                    ticket.phase = "measured"
                    reach("run_finished")
                elif isinstance(answer, Spooled):
                    reach("spool_written")
                    return Outcome(outcome="spooled", busy_s=answer.busy_s)
                elif isinstance(answer, Failed):
                    if answer.outcome == "aborted":
                        return self._stopped(ticket, stop, answer.busy_s)
                    return Outcome(
                        outcome=answer.outcome, error=answer.error, busy_s=answer.busy_s, traceback=answer.traceback
                    )  # fmt: skip
        except Died as died:
            busy_s = time.monotonic() - start
            if stop.reason is not None and ticket.phase == "running":
                return self._stopped(ticket, stop, busy_s)
            return self._crashed(died, busy_s)

    def _stopped(self, ticket: Ticket, stop: Stop, busy_s: float) -> Outcome:
        if stop.reason == "cancel":
            return Outcome(outcome="aborted", busy_s=busy_s)
        if stop.reason == "timeout":
            message = f"The job ran longer than its limit of {ticket.timeout_s:g} s and was stopped."
            error = Rejected(message, code="timeout", timeout_s=ticket.timeout_s)
            return Outcome(outcome="errored", error=error.to_dict(), busy_s=busy_s)
        error_ = Faulted("The driver was shut down while the job ran.", code="driver_stopped")
        return Outcome(outcome="interrupted", error=error_.to_dict(), busy_s=busy_s)

    def _crashed(self, died: Died, busy_s: float) -> Outcome:
        cap = self._opening.memory_cap_bytes
        if died.over(cap):
            message = "The program needs more memory than its place has."
            error = TooLarge(message, code="out_of_memory", peak_bytes=died.peak_bytes, limit=cap)
            return Outcome(outcome="errored", error=error.to_dict(), busy_s=busy_s)
        fault = Faulted(f"The executor crashed: {died}.", code="executor_crashed")
        return Outcome(outcome="interrupted", error=fault.to_dict(), busy_s=busy_s)


class Stop:
    """Ends a run: asks, terminates, kills. It begins by itself at the ticket's time limit."""

    def __init__(self, child: Child, ticket: Ticket, grace_s: float) -> None:
        self._child, self._ticket, self._grace_s = child, ticket, grace_s
        self.reason: Reason | None = None
        self._loop = asyncio.get_running_loop()
        self._timers = [self._loop.call_later(ticket.timeout_s, self.begin, "timeout")]
        self._over = False

    def begin(self, reason: Reason) -> None:
        """Ask now; a second call changes nothing."""
        if self._over or self.reason is not None:
            return
        self.reason = reason
        self._child.send(Cancel(key=self._ticket.key))
        for step, number in enumerate((signal.SIGTERM, signal.SIGKILL), start=1):
            self._timers.append(self._loop.call_later(step * self._grace_s, self._child.signal, number))

    def over(self) -> None:
        """The run has ended, or has its data: nothing stops it any more."""
        self._over = True
        for timer in self._timers:
            timer.cancel()

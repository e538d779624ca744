"""Gives jobs to parked claims: woken by what may change the answer, a job, a booking or its hour, never by a poll."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.errors import Unavailable
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.lifecycle import Event, EventKind, advance
from qpi_jupyter.core.planner import Policy, View, next_job
from qpi_jupyter.core.programs import ProgramFormat, unpack
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import INLINE_PROGRAM_BYTES, MAX_FRAME_BYTES, Assignment, ProgramRef
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.store import jobs
from qpi_server.store.jobs import JobRecord
from qpi_server.store.view import load_view, use

from . import staging
from .clock import Timer
from .room import Room
from .sessions import Sessions
from .staging import Look
from .transitions import Change, carry_out

log = logging.getLogger(__name__)
_options = msgspec.json.Decoder(OptionsIn).decode


@dataclass(eq=False, slots=True, kw_only=True)
class ParkedClaim:
    """A free place that waits for a job."""

    qpu: str
    driver: str
    epoch: int
    places: int
    """How many attempts the driver runs at once."""
    timeout_s: float
    future: asyncio.Future[Assignment] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    serving: bool = False
    expired: bool = False

    @property
    def room(self) -> int:
        """How many attempts the driver may have at once: one runs and one is staged at each place."""
        return 2 * self.places


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    claim: ParkedClaim
    change: Change
    assignment: Assignment


MAX_OPTIONS_BYTES = 160 << 10
"""Run options that a frame has room for, as JSON."""


def inline_limit(options: bytes) -> int:
    """How many bytes of program still fit into a frame beside ``options``; the rest of a job takes 16 KiB at most."""
    room = (MAX_FRAME_BYTES - (16 << 10) - len(options)) * 3 // 4  # base64
    return min(INLINE_PROGRAM_BYTES, room)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picked:
    given: list[_Given]
    dry: bool
    """No job is left that could go, and the end of a job changes nothing about that."""
    calm: bool
    """Neither bookings nor sessions matter here."""
    next_at: datetime | None
    """When the answer may change by itself."""


class Dispatcher:
    """The parked claims of every QPU, and the loop that serves them."""

    def __init__(self, room: Room, sessions: Sessions) -> None:
        self._room, self._sessions = room, sessions
        self._parked: dict[str, list[ParkedClaim]] = defaultdict(list)
        self._serving: set[str] = set()
        self._again: set[str] = set()
        self._dry: set[str] = set()
        """QPUs where the planner found nothing, and nothing has changed since: a claim there is only parked."""
        self._calm: set[str] = set()
        """QPUs where only the queue decides."""
        self._staged: dict[str, dict[str, int]] = defaultdict(dict)
        """The priorities of the jobs that were given out and have not begun, by QPU and job."""
        self._timers: dict[str, Timer] = {}
        self._looking: set[str] = set()
        self._look_again: set[str] = set()

    async def claim(self, claim: ParkedClaim) -> Assignment:
        """The next job for this place; an empty assignment if none came within ``reask_s``."""
        parked = self._parked[claim.qpu]
        parked.append(claim)
        if claim.qpu not in self._dry:
            self._serve_soon(claim.qpu)
        try:
            await asyncio.wait({claim.future}, timeout=self._room.config.reask_s)
            claim.expired = True
            if not claim.future.done() and not claim.serving:
                return Assignment()
            return await claim.future
        except asyncio.CancelledError:
            if claim.future.done() and not claim.future.cancelled():
                self._give_back(claim.future.result())
            raise
        finally:
            claim.future.cancel()
            if claim in parked:
                parked.remove(claim)

    def wake(self, qpu: str) -> None:
        """Ask everything again for ``qpu``: whose turn it is may have changed, by a booking, a session or a switch."""
        self._calm.discard(qpu)
        self._serve_soon(qpu)
        self._look_soon(qpu)

    def queued(self, qpu: str, job: Job) -> None:
        """There is one more job that may go.

        The unit that picks is queued at once, behind whatever this caller has just given to the store: a submit and
        the assignment that it leads to share one commit.
        """
        self._serve_soon(qpu)
        staged = self._staged.get(qpu)
        if staged and (qpu not in self._calm or job.priority > min(staged.values())):
            self._look_soon(qpu)

    def freed(self, qpu: str) -> None:
        """A driver has room for one more: that matters only if there is a job."""
        if qpu not in self._dry:
            self._serve_soon(qpu)

    def observe(self, change: Change) -> None:
        """Remember what is staged."""
        job = change.after.job
        if job.state is JobState.ASSIGNED:
            self._staged[job.qpu][job.id] = job.priority
        else:
            self._staged[job.qpu].pop(job.id, None)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _serve_soon(self, qpu: str) -> None:
        self._dry.discard(qpu)
        if qpu in self._serving:
            self._again.add(qpu)
            return
        if not self._parked.get(qpu):
            return
        self._serving.add(qpu)
        work = self._room.store.write(self._unit(qpu, claims := self._take(qpu)))
        self._room.outbox.tasks.start(self._serve(qpu, claims, work), f"dispatch {qpu}")

    def _take(self, qpu: str) -> list[ParkedClaim]:
        self._again.discard(qpu)
        claims = [claim for claim in self._parked[qpu] if not claim.future.done()]
        for claim in claims:
            claim.serving = True
        return claims

    def _unit(self, qpu: str, claims: Sequence[ParkedClaim]) -> _Pick:
        return _Pick(qpu, claims, self._room.now(), self._room.config.policy)

    async def _serve(self, qpu: str, claims: list[ParkedClaim], work: asyncio.Future[_Picked]) -> None:
        try:
            while True:
                picked = await work
                if picked.dry and qpu not in self._again:
                    self._dry.add(qpu)
                self._plan(qpu, picked.calm, picked.next_at)
                self._hand_out(picked.given)
                self._let_go(claims)
                if qpu not in self._again or not self._parked[qpu]:
                    return
                claims = self._take(qpu)
                work = self._room.store.write(self._unit(qpu, claims))
        except Unavailable as error:
            # Nothing was assigned; the claims are asked again when their time is over.
            log.warning("%s cannot hand out jobs: %s", qpu, error)
        finally:
            self._serving.discard(qpu)
            self._let_go(claims)

    def _plan(self, qpu: str, calm: bool, next_at: datetime | None) -> None:
        """Ask again when the time of day alone may change the answer."""
        (self._calm.add if calm else self._calm.discard)(qpu)
        if (earlier := self._timers.pop(qpu, None)) is not None:
            earlier.cancel()
        if next_at is not None:
            left_s = max(0.0, (next_at - self._room.now()).total_seconds())
            moment = self._room.clock.monotonic() + left_s
            self._timers[qpu] = self._room.clock.call_at(moment, lambda: self._due(qpu))

    def _due(self, qpu: str) -> None:
        self._timers.pop(qpu, None)
        self._room.outbox.wake(qpu)

    def _look_soon(self, qpu: str) -> None:
        """Look at what is staged, and at bookings whose people do not come."""
        if qpu in self._looking:
            self._look_again.add(qpu)
        else:
            self._looking.add(qpu)
            self._room.outbox.tasks.start(self._look(qpu), f"look at {qpu}")

    async def _look(self, qpu: str) -> None:
        again = True
        try:
            while again:
                self._look_again.discard(qpu)
                config = self._room.config
                drivers = self._sessions.all()
                look = Look(qpu, self._room.now(), config.policy, drivers, public=config.public_bookings)
                seen = await self._room.store.write(look)
                if seen.given_back:
                    self._room.outbox.public()
                    self._room.outbox.wake(qpu)
                self._plan(qpu, seen.calm, seen.next_at)
                for job in seen.recalled:
                    self._sessions.recall(job.driver or "", job.id, job.attempt)
                again = qpu in self._look_again
        finally:
            self._looking.discard(qpu)

    @staticmethod
    def _let_go(claims: Sequence[ParkedClaim]) -> None:
        """Park ``claims`` again, and answer those whose time ended while they were looked at."""
        for claim in claims:
            claim.serving = False
            if claim.expired and not claim.future.done():
                claim.future.set_result(Assignment())

    def _hand_out(self, given: Sequence[_Given]) -> None:
        for item in given:
            reach("assign_after_commit")
            self._room.send(item.change)
            claim = item.claim
            if claim in self._parked[claim.qpu]:
                self._parked[claim.qpu].remove(claim)
            if claim.future.cancelled():
                self._give_back(item.assignment)
            elif not claim.future.done():
                claim.future.set_result(item.assignment)

    def _give_back(self, assignment: Assignment) -> None:
        """The driver went away before it was told: the attempt certainly never began."""
        if assignment.job_id:
            event = Event(kind=EventKind.RELEASED, at=self._room.now(), attempt=assignment.attempt)
            work = self._room.advance(assignment.job_id, event)
            self._room.outbox.tasks.start(work, f"give back {assignment.job_id}")


class _Pick:
    """The unit of work: as many jobs as the claims may have, in one transaction."""

    def __init__(self, qpu: str, claims: Sequence[ParkedClaim], at: datetime, policy: Policy) -> None:
        self._qpu, self._claims, self._at, self._policy = qpu, claims, at, policy

    def __call__(self, connection: Connection) -> _Picked:
        given: list[_Given] = []
        want, at = len(self._claims), self._at
        view, rows = load_view(connection, self._qpu, at, self._policy, online=True, want=want)
        job = next_job(view, at)
        if job is not None:
            load = {driver: jobs.count_open(connection, driver) for driver in {claim.driver for claim in self._claims}}
        waiting = list(self._claims)
        while waiting and job is not None:
            # The driver with the most room first: an idle one before one that would only stage the job.
            claim = min(waiting, key=lambda c: load[c.driver] - c.room)
            if load[claim.driver] >= claim.room:
                break
            if view.ahead and load[claim.driver]:
                wait_s = staging.wait_s(connection, claim.driver, claim.places, at)
                job = next_job(view, at, wait_s=wait_s)
                if job is None:
                    break
            waiting.remove(claim)
            load[claim.driver] += 1
            given.append(self._give(connection, claim, rows[job.id], view))
            view = replace(view, jobs=tuple(other for other in view.jobs if other is not job))
            job = next_job(view, at)
        # A view brings only the head of a longer queue: then there may be more than it knows.
        dry = job is None and len(rows) <= want and view.calm
        return _Picked(given=given, dry=dry, calm=view.calm, next_at=staging.next_look(view, at))

    def _give(self, connection: Connection, claim: ParkedClaim, record: JobRecord, view: View) -> _Given:
        event = Event(kind=EventKind.ASSIGNED, at=self._at, driver=claim.driver)
        change = carry_out(connection, record, advance(record.job, event), self._at, epoch=claim.epoch)
        booking = view.booking
        if booking is not None and not booking.used and booking.admits(record.job.owner):
            use(connection, booking.id, self._at)
        assignment = _assignment(connection, change.after, claim.timeout_s)
        return _Given(claim=claim, change=change, assignment=assignment)


def _assignment(connection: Connection, record: JobRecord, timeout_s: float) -> Assignment:
    job = record.job
    options = jobs.options(connection, job.id)
    packed = jobs.small_program(connection, record.program_sha256, inline_limit(options))
    program = ProgramRef(
        format=ProgramFormat(record.format),
        sha256=record.program_sha256,
        options=_options(options),
        sources=[] if packed is None else list(unpack(packed)),
    )
    return Assignment(
        job_id=job.id,
        attempt=job.attempt,
        program=program,
        estimate_s=job.estimate_s,
        upper_s=job.upper_s,
        timeout_s=timeout_s,
    )

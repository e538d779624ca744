"""Gives jobs to parked claims: woken by what may change the answer, never by a clock."""

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
from qpi_jupyter.core.lifecycle import Event, EventKind, advance
from qpi_jupyter.core.planner import Policy, next_job
from qpi_jupyter.core.programs import ProgramFormat, unpack
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import INLINE_PROGRAM_BYTES, MAX_FRAME_BYTES, Assignment, ProgramRef
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.store import jobs
from qpi_server.store.jobs import JobRecord
from qpi_server.store.view import load_view

from .room import Room
from .transitions import Change, carry_out

log = logging.getLogger(__name__)
_options = msgspec.json.Decoder(OptionsIn).decode


@dataclass(eq=False, slots=True, kw_only=True)
class ParkedClaim:
    """A free place that waits for a job."""

    qpu: str
    driver: str
    epoch: int
    room: int
    """How many attempts the driver may have at once."""
    timeout_s: float
    future: asyncio.Future[Assignment] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    serving: bool = False
    expired: bool = False


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
    """No job is left that could go."""


class Dispatcher:
    """The parked claims of every QPU, and the loop that serves them."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._parked: dict[str, list[ParkedClaim]] = defaultdict(list)
        self._serving: set[str] = set()
        self._again: set[str] = set()
        self._dry: set[str] = set()
        """QPUs where the planner found nothing, and nothing has changed since: a claim there is only parked."""

    async def claim(self, claim: ParkedClaim) -> Assignment:
        """The next job for this place; an empty assignment if none came within ``reask_s``."""
        parked = self._parked[claim.qpu]
        parked.append(claim)
        if claim.qpu not in self._dry:
            self.wake(claim.qpu)
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
        """Ask the planner again for ``qpu``: there is a new job, or a job may go that might not before.

        The unit that picks is queued at once, behind whatever this caller has just given to the store: a submit and
        the assignment that it leads to share one commit.
        """
        self._dry.discard(qpu)
        if qpu in self._serving:
            self._again.add(qpu)
            return
        if not self._parked.get(qpu):
            return
        self._serving.add(qpu)
        work = self._room.store.write(self._unit(qpu, claims := self._take(qpu)))
        self._room.outbox.tasks.start(self._serve(qpu, claims, work), f"dispatch {qpu}")

    def freed(self, qpu: str) -> None:
        """A driver has room for one more: that matters only if there is a job."""
        if qpu not in self._dry:
            self.wake(qpu)

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
        want = len(self._claims)
        view, rows = load_view(connection, self._qpu, self._at, self._policy, online=True, want=want)
        job = next_job(view, self._at)
        if job is None:
            return _Picked(given=given, dry=True)
        load = {driver: jobs.count_open(connection, driver) for driver in {claim.driver for claim in self._claims}}
        waiting = list(self._claims)
        while waiting and job is not None:
            # The driver with the most room first: an idle one before one that would only stage the job.
            claim = min(waiting, key=lambda c: load[c.driver] - c.room)
            if load[claim.driver] >= claim.room:
                break
            waiting.remove(claim)
            load[claim.driver] += 1
            step = advance(job, Event(kind=EventKind.ASSIGNED, at=self._at, driver=claim.driver))
            change = carry_out(connection, rows[job.id], step, self._at, epoch=claim.epoch)
            assignment = _assignment(connection, change.after, claim.timeout_s)
            given.append(_Given(claim=claim, change=change, assignment=assignment))
            view = replace(view, jobs=tuple(other for other in view.jobs if other is not job))
            job = next_job(view, self._at)
        # A view brings only the head of a longer queue: then there may be more than it knows.
        return _Picked(given=given, dry=job is None and len(rows) <= want)


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

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

from qpi_jupyter.core import (
    Event,
    EventKind,
    Job,
    JobState,
    Policy,
    QpiError,
    Unavailable,
    View,
    advance,
    next_job,
    require_calibration,
    unpack,
)
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES, Assignment, ProgramRef, fits, inline_limit
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.service.base import Context, Timers, Tx, Wake, the_qpu
from qpi_server.service.bookings import came
from qpi_server.service.lifecycle import Change, Lifecycle, Queued, carry_out
from qpi_server.service.links import Links
from qpi_server.store import JobRecord, jobs, load_view

from . import staging
from .staging import Look

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
    max_frame_bytes: int
    future: asyncio.Future[Assignment] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    serving: bool = False
    expired: bool = False

    @property
    def room(self) -> int:
        """How many attempts the driver may have at once: one runs and one is staged at each place."""
        return 2 * self.places

    def expire(self) -> None:
        """Its time is over: nothing is the answer, unless somebody looks for a job for it just now."""
        self.expired = True
        if not self.serving and not self.future.done():
            self.future.set_result(Assignment())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    claim: ParkedClaim
    assignment: Assignment


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picked:
    dry: bool
    """No job is left that could go, and the end of a job changes nothing about that."""
    calm: bool
    """Neither bookings nor sessions matter here."""
    next_at: datetime | None
    """When the answer may change by itself."""


class Dispatcher:
    """The parked claims of every QPU, and the loop that serves them."""

    def __init__(self, context: Context, links: Links, lifecycle: Lifecycle) -> None:
        self._context, self._config, self._clock = context, context.config, context.clock
        self._links, self._lifecycle = links, lifecycle
        self._parked: dict[str, list[ParkedClaim]] = defaultdict(list)
        self._serving: set[str] = set()
        self._again: set[str] = set()
        self._dry: set[str] = set()
        """QPUs where the planner found nothing, and nothing has changed since: a claim there is only parked."""
        self._calm: set[str] = set()
        """QPUs where only the queue decides."""
        self._staged: dict[str, dict[str, int]] = defaultdict(dict)
        """The priorities of the jobs that were given out and have not begun, by QPU and job."""
        self._maintained: dict[str, str | None] = {}
        """The maintenance that is on, by QPU, as everybody was told."""
        self._timers = Timers(context.clock)
        self._looking: set[str] = set()
        self._look_again: set[str] = set()
        context.commits.on(Wake, lambda wake: self._wake(wake.qpu))
        context.commits.on(Queued, lambda queued: self._queued(queued.job))
        context.commits.on(Change, self._changed)
        context.commits.on(_Given, self._hand_out)

    async def claim(self, claim: ParkedClaim) -> Assignment:
        """The next job for this place; an empty assignment if none came within ``reask_s``."""
        parked = self._parked[claim.qpu]
        parked.append(claim)
        if claim.qpu not in self._dry:
            self._serve_soon(claim.qpu)
        expiry = asyncio.get_running_loop().call_later(self._config.reask_s, claim.expire)
        try:
            return await claim.future
        except asyncio.CancelledError:
            if claim.future.done() and not claim.future.cancelled():
                self._give_back(claim.future.result())
            raise
        finally:
            expiry.cancel()
            if claim in parked:
                parked.remove(claim)

    def _wake(self, qpu: str) -> None:
        """Ask everything again for ``qpu``: whose turn it is may have changed, by a booking, a session or a switch."""
        self._calm.discard(qpu)
        self._serve_soon(qpu)
        self._look_soon(qpu)

    def _queued(self, job: Job) -> None:
        """There is one more job that may go.

        The unit that picks is queued at once, behind whatever the caller has just given to the store: a submit and
        the assignment that it leads to share one commit.
        """
        qpu = job.qpu
        self._serve_soon(qpu)
        staged = self._staged.get(qpu)
        if staged and (qpu not in self._calm or job.priority > min(staged.values())):
            self._look_soon(qpu)

    def _changed(self, change: Change) -> None:
        """Remember what is staged; where a job waits again, or a driver has room for one, see whose turn it is."""
        job = change.after.job
        if job.state is JobState.ASSIGNED:
            self._staged[job.qpu][job.id] = job.priority
        else:
            self._staged[job.qpu].pop(job.id, None)
        if change.queued:
            self._queued(job)
        elif change.freed and job.qpu not in self._dry:
            self._serve_soon(job.qpu)

    def close(self) -> None:
        self._timers.close()

    def _serve_soon(self, qpu: str) -> None:
        self._dry.discard(qpu)
        if qpu in self._serving:
            self._again.add(qpu)
            return
        if not self._parked.get(qpu):
            return
        self._serving.add(qpu)
        work = self._pick(qpu, claims := self._take(qpu))
        self._context.tasks.start(self._serve(qpu, claims, work), f"dispatch {qpu}")

    def _take(self, qpu: str) -> list[ParkedClaim]:
        self._again.discard(qpu)
        claims = [claim for claim in self._parked[qpu] if not claim.future.done()]
        for claim in claims:
            claim.serving = True
        return claims

    def _pick(self, qpu: str, claims: Sequence[ParkedClaim]) -> asyncio.Future[_Picked]:
        return self._context.db.write(_Pick(qpu, claims, self._config.policy))

    async def _serve(self, qpu: str, claims: list[ParkedClaim], work: asyncio.Future[_Picked]) -> None:
        try:
            while True:
                picked = await work
                if picked.dry and qpu not in self._again:
                    self._dry.add(qpu)
                self._plan(qpu, picked.calm, picked.next_at)
                self._let_go(claims)
                if qpu not in self._again or not self._parked[qpu]:
                    return
                claims = self._take(qpu)
                work = self._pick(qpu, claims)
        except Unavailable as error:
            # Nothing was assigned; the claims are asked again when their time is over.
            log.warning("%s cannot hand out jobs: %s", qpu, error)
        finally:
            self._serving.discard(qpu)
            self._let_go(claims)

    def _plan(self, qpu: str, calm: bool, next_at: datetime | None) -> None:
        """Ask again when the time of day alone may change the answer."""
        (self._calm.add if calm else self._calm.discard)(qpu)
        self._timers.cancel(qpu)
        if next_at is not None:
            left_s = (next_at - self._clock.now()).total_seconds()
            self._timers.after(left_s, qpu, lambda: self._context.commits.tell([Wake(qpu)]))

    def _look_soon(self, qpu: str) -> None:
        """Look at what is staged, and at bookings whose people do not come."""
        if qpu in self._looking:
            self._look_again.add(qpu)
        else:
            self._looking.add(qpu)
            self._context.tasks.start(self._look(qpu), f"look at {qpu}")

    async def _look(self, qpu: str) -> None:
        again = True
        try:
            while again:
                self._look_again.discard(qpu)
                look = Look(
                    qpu, self._config.policy, self._links.of(qpu), public=self._config.public_bookings,
                    maintenance=self._maintained.get(qpu),
                )  # fmt: skip
                seen = await self._context.db.write(look)
                self._maintained[qpu] = seen.maintenance
                self._plan(qpu, seen.calm, seen.next_at)
                for job in seen.recalled:
                    self._links.recall(job.driver or "", job.id, job.attempt)
                again = qpu in self._look_again
        finally:
            self._looking.discard(qpu)

    @staticmethod
    def _let_go(claims: Sequence[ParkedClaim]) -> None:
        """Park ``claims`` again, and answer those whose time ended while they were looked at."""
        for claim in claims:
            claim.serving = False
            if claim.expired:
                claim.expire()

    def _hand_out(self, given: _Given) -> None:
        """Answer the claim in the commit's own turn: the driver begins while everybody else is told."""
        reach("assign_after_commit")
        claim = given.claim
        if claim in self._parked[claim.qpu]:
            self._parked[claim.qpu].remove(claim)
        if claim.future.cancelled():
            self._give_back(given.assignment)
        elif not claim.future.done():
            claim.future.set_result(given.assignment)

    def _give_back(self, assignment: Assignment) -> None:
        """The driver went away before it was told: the attempt certainly never began."""
        if assignment.job_id:
            event = Event(kind=EventKind.RELEASED, at=self._clock.now(), attempt=assignment.attempt)
            work = self._lifecycle.advance(assignment.job_id, event)
            self._context.tasks.start(work, f"give back {assignment.job_id}")


class _Pick:
    """The unit of work: as many jobs as the claims may have, in one transaction."""

    def __init__(self, qpu: str, claims: Sequence[ParkedClaim], policy: Policy) -> None:
        self._qpu, self._claims, self._policy = qpu, claims, policy

    def __call__(self, tx: Tx) -> _Picked:
        want, at, connection = len(self._claims), tx.at, tx.connection
        view, rows = load_view(connection, self._qpu, at, self._policy, online=True, want=want)
        job = next_job(view, at)
        if job is not None:
            load = {driver: jobs.count_open(connection, driver) for driver in {claim.driver for claim in self._claims}}
        waiting, skipped = list(self._claims), False
        while waiting and job is not None:
            if (changed := _other_calibration(connection, rows[job.id])) is not None:
                event = Event(kind=EventKind.ERRORED, at=at, error=changed.to_dict())
                carry_out(tx, rows[job.id], advance(job, event))
                skipped, view = True, _without(view, job)
                job = next_job(view, at)
                continue
            able = _able(connection, waiting, job.id)
            if not able:
                skipped, view = True, _without(view, job)
                job = next_job(view, at)
                continue
            # The driver with the most room first: an idle one before one that would only stage the job.
            claim = min(able, key=lambda c: load[c.driver] - c.room)
            if load[claim.driver] >= claim.room:
                break
            if view.ahead and load[claim.driver]:
                wait_s = staging.wait_s(connection, claim.driver, claim.places, at)
                job = next_job(view, at, wait_s=wait_s)
                if job is None:
                    break
            waiting.remove(claim)
            load[claim.driver] += 1
            _give(tx, claim, rows[job.id], view)
            view = _without(view, job)
            job = next_job(view, at)
        # A view brings only the head of a longer queue: then there may be more than it knows.
        dry = job is None and len(rows) <= want and view.calm and not skipped
        return _Picked(dry=dry, calm=view.calm, next_at=staging.next_look(view, at))


def _other_calibration(connection: Connection, record: JobRecord) -> QpiError | None:
    """Why a job that is for one calibration cannot run any more."""
    if record.calibration is None:
        return None
    manifest = the_qpu(connection, record.job.qpu).manifest or {}
    try:
        require_calibration(record.job.qpu, record.calibration, str(manifest.get("calibration_id", "")))
    except QpiError as error:
        return error
    return None


def _able(connection: Connection, claims: Sequence[ParkedClaim], job_id: str) -> Sequence[ParkedClaim]:
    """Those whose drivers can be sent the job."""
    if all(claim.max_frame_bytes >= MAX_FRAME_BYTES for claim in claims):
        return claims
    options = jobs.options(connection, job_id)
    return [claim for claim in claims if fits(options, claim.max_frame_bytes)]


def _without(view: View, job: Job) -> View:
    return replace(view, jobs=tuple(other for other in view.jobs if other is not job))


def _give(tx: Tx, claim: ParkedClaim, record: JobRecord, view: View) -> None:
    event = Event(kind=EventKind.ASSIGNED, at=tx.at, driver=claim.driver)
    change = carry_out(tx, record, advance(record.job, event), epoch=claim.epoch)
    booking = view.booking
    if booking is not None and booking.admits(record.job.owner):
        came(tx, booking, tx.at)
    tx.tell(_Given(claim=claim, assignment=_assignment(tx.connection, change.after, claim)))


def _assignment(connection: Connection, record: JobRecord, claim: ParkedClaim) -> Assignment:
    job = record.job
    options = jobs.options(connection, job.id)
    packed = jobs.small_program(connection, record.program_sha256, inline_limit(options, claim.max_frame_bytes))
    program = ProgramRef(
        format=record.format,
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
        timeout_s=claim.timeout_s,
        calibration=record.calibration or "",
    )

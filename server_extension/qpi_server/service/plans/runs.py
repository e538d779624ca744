"""Plans that run: each has a task while there is something to do for it, and is taken up again after a restart.

What is to be done stands in the rows: places to ask for, prepared ones to commit, results to put together. A task only
looks there, and whoever changes them says so; so it may be lost at any moment, with the whole server.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime
from itertools import dropwhile
from typing import NamedTuple

from sqlalchemy import Connection

from qpi_jupyter.core import (
    Conflict,
    Event,
    EventKind,
    Faulted,
    JobState,
    NotFound,
    Permission,
    Principal,
    QpiError,
    TooMany,
    Unavailable,
    advance,
    existing,
)
from qpi_jupyter.core.plans import ReservationState
from qpi_jupyter.core.reservations import ENDED, RESERVED, TTL_S, Reservation
from qpi_jupyter.wire.events import LabEvent, ReservationChanged
from qpi_jupyter.wire.plans import PlanRun
from qpi_server.service.base import Context, Timers, Tx, Written
from qpi_server.service.lifecycle import Change, PlaceWanted, carry_out, find, own, visible
from qpi_server.service.links import Linked, Links
from qpi_server.service.submit import Checker
from qpi_server.store import JobRecord, jobs, reservations
from qpi_server.store.reservations import PlanJobRow

from .assembling import Assembler, Pieces, results_of
from .beginning import Fragments
from .leaving import Leaving
from .places import Places, latest_of
from .planning import PlanService
from .quality import Quality
from .shown import fragment_runs, plan_run
from .stored import StoredPlan, staleness, stored_plan
from .submitting import Submits

log = logging.getLogger(__name__)
AGAIN_S = 5.0
"""After a trouble of the lab's own, a plan is taken up again in this time."""
MAX_FAULTS = 3
"""A plan that the lab itself makes a mistake with so often ends."""


class _Look(NamedTuple):
    """What there is to do for a plan's job."""

    record: JobRecord
    row: PlanJobRow
    stored: StoredPlan | None
    latest: list[Reservation]

    def again(self) -> list[str]:
        """The jobs of the fragments that are measured again: all have been once."""
        waits = self.record.job.waits_for
        return [one.child_id for one in self.latest if waits == 1 and one.state not in ENDED]


class PlanRuns:
    """Runs plans: submits them, gets their places, moves their fragments and puts their results together."""

    def __init__(self, context: Context, links: Links, checker: Checker, planning: PlanService) -> None:
        self._context, self._db, self._links, self._planning = context, context.db, links, planning
        submits = Submits(context, links, planning)
        self.submit, self.plan_and_run = submits.submit, submits.plan_and_run
        self._places, self._assembler = Places(context, links, checker), Assembler(context)
        self._leaving = Leaving(context, links, self._places)
        self._quality = Quality(context, links, planning)
        self._awaited: dict[str, str] = {}
        """Second tries, to the plan's job that waits for them."""
        self._timers = Timers(context.clock)
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._faults: Counter[str] = Counter()
        """Mistakes of the lab's own in a row, by the plan's job."""
        self._waiting: dict[str, frozenset[str]] = {}
        """Jobs that wait for places that other plans hold, the oldest first, each with the QPUs that it may go to."""
        self._offered: dict[str, frozenset[str]] = {}
        """The QPUs with a free place for which one of these is tried: who cannot use them leaves them to the next."""
        context.commits.on(PlaceWanted, lambda wanted: self._wake(wanted.job_id))
        context.commits.on(Change, self._changed)
        context.commits.on(Written, lambda written: self._freed(written.event))
        context.commits.on(Linked, lambda linked: self._next(frozenset({linked.qpu})))

    async def recover(self) -> None:
        """Take up what an earlier server left."""
        left = await self._db.read(reservations.unfinished)
        self._leaving.recover(left)
        for job_id in left:
            self._wake(job_id)

    async def close(self) -> None:
        """Nothing is begun any more."""
        self._timers.close()
        self._leaving.close()
        await self._assembler.close()

    async def run(self, principal: Principal, job_id: str) -> PlanRun:
        """How the plan that a job runs does.

        Raises
        ------
        NotFound
            there is no such job, it is somebody else's, or it runs no plan.
        """

        def query(connection: Connection) -> PlanRun | None:
            record = own(principal, visible(principal, find(connection, job_id)), Permission.JOBS_READ, "look into")
            return plan_run(connection, record)

        missing = NotFound(f"Job {job_id} runs no plan.", code="no_plan")
        return existing(await self._db.read(query), missing)

    # --- running

    def _wake(self, job_id: str) -> None:
        """There may be something to do for it."""
        if job_id in self._busy:
            self._again.add(job_id)
            return
        self._busy.add(job_id)
        self._context.tasks.start(self._work(job_id), f"plan of {job_id}")

    def _changed(self, change: Change) -> None:
        """All fragments are done, or the job has ended."""
        job = change.after.job
        if (parent := self._awaited.get(job.id)) is not None:
            if job.state.final:
                del self._awaited[job.id]
            self._wake(parent)
        if job.family != job.id or not change.changed:
            return
        if job.state.final:
            self._timers.cancel(job.id)
            self._waiting.pop(job.id, None)
            self._faults.pop(job.id, None)
            self._next(self._offered.pop(job.id, frozenset()))
        elif job.state is JobState.BLOCKED and job.waits_for == 1:
            self._wake(job.id)

    def _freed(self, event: LabEvent) -> None:
        """A place on a QPU has ended."""
        if isinstance(event, ReservationChanged) and event.data.state in ENDED:
            self._next(frozenset({event.qpu}))

    def _next(self, free: frozenset[str], behind: str | None = None) -> None:
        """Have the job tried that has waited longest for a place on any of these QPUs, of all or of those ``behind``
        one."""
        waiting = list(self._waiting)
        if behind in self._waiting:
            waiting = list(dropwhile(lambda job_id: job_id != behind, waiting))[1:]
        first = (job_id for job_id in waiting if not self._waiting[job_id].isdisjoint(free))
        if (job_id := next(first, None)) is not None:
            self._offered[job_id] = self._offered.get(job_id, frozenset()) | free
            self._wake(job_id)

    async def _work(self, job_id: str) -> None:
        try:
            again = True
            while again:
                self._again.discard(job_id)
                try:
                    await self._stepped(job_id)
                except Exception as problem:
                    fault = None if isinstance(problem, QpiError | TimeoutError) else problem
                    log.warning(
                        "the plan of %s is taken up again in %g s: %s", job_id, AGAIN_S, problem, exc_info=fault
                    )
                    self._timers.after(AGAIN_S, job_id, lambda: self._wake(job_id))
                again = job_id in self._again
        finally:
            self._busy.discard(job_id)

    async def _stepped(self, job_id: str) -> None:
        """As `_step`; what is wrong and will not pass ends the plan."""
        try:
            await self._step(job_id)
        except (Unavailable, TooMany, TimeoutError):
            raise
        except QpiError as error:
            await self._end(job_id, error)
        except Exception:
            self._faults[job_id] += 1
            if self._faults[job_id] < MAX_FAULTS:
                raise
            log.exception("the plan of %s ends", job_id)
            await self._end(job_id, Faulted("The lab could not run the plan: its log says why.", code="internal_error"))
        self._faults.pop(job_id, None)

    async def _step(self, job_id: str) -> None:
        """Do what there is to do now, and come back when the time of day alone makes it more."""
        look = await self._db.read(lambda connection: _look(connection, job_id))
        if look is None or look.record.job.state.final:
            return
        now = self._context.now()
        again = look.again()
        self._awaited.update(dict.fromkeys(again, job_id))
        if look.row.deadline_at is not None and look.row.deadline_at <= now:
            if not again:
                await self._end(job_id, Faulted("The plan was not done by its deadline.", code="deadline"))
                return
            await self._quality.give_up(job_id)
        if look.stored is None or not look.latest:
            await self._come_back(job_id, look.row.deadline_at, await self._begin(look))
            return
        plan, wait_s = look.stored.plan, None
        over = any(one.expires_at <= now for one in look.latest if one.state not in ENDED)
        states, returning = {one.state for one in look.latest}, self._leaving.returning(job_id)
        if over:
            await self._db.write(lambda tx: self._leaving.expire(tx, job_id, plan))
        if ReservationState.REQUESTED in states and (returning or not over):
            wait_s = await self._places.prepare(plan, job_id, returning=returning)
        if ReservationState.PREPARED in states:  # else they are committed with the unit that prepares the last one
            await self._places.commit(job_id)
        if look.record.job.waits_for == 1 and await self._quality.settled(job_id, *look.stored):
            await self._assemble(look)
        await self._come_back(job_id, look.row.deadline_at, wait_s)

    async def _come_back(self, job_id: str, deadline_at: datetime | None, wait_s: float | None) -> None:
        moments = await self._db.read(lambda connection: _ends(connection, job_id))
        if moments is None:
            return
        moments += [deadline_at] if deadline_at is not None else []
        waits = [max(0.0, (moment - self._context.now()).total_seconds()) for moment in moments]
        waits += [wait_s] if wait_s is not None else []
        if waits:
            self._timers.after(min(waits), job_id, lambda: self._wake(job_id))

    async def _begin(self, look: _Look) -> float | None:
        """As `_begun`; places that were free for it, and that it does not take, are offered to the next."""
        job_id, began = look.record.id, False
        offered = self._offered.pop(job_id, frozenset())
        try:
            wait_s = await self._begun(look)
            began = wait_s is None
        finally:
            if not began:
                self._next(offered, behind=job_id)
        return wait_s

    async def _begun(self, look: _Look) -> float | None:
        """Make the fragments' jobs of a job that came without a plan; in how many seconds to try again, None: done."""
        job, stored = look.record.job, look.stored
        try:
            if stored is None or staleness(self._context.qpus, stored.plan) is not None:
                stored = await self._planned(look)
        except QpiError as error:
            if error.code == "infeasible" and self._leaving.returning(job.id):
                raise Unavailable(f"The QPUs are not back yet: {error.message}") from error
            raise
        fragments = Fragments(self._context, self._links, stored.plan, stored.parts)

        def unit(tx: Tx) -> None:
            record = find(tx.connection, job.id)
            if record.job.state is JobState.BLOCKED:
                fragments.add(tx, record, fragments.choose(tx, job.id))

        self._waiting[job.id] = stored.plan.qpus  # a later plan keeps the job's place in the line
        try:
            await self._db.write(unit)
        except Conflict as error:
            if error.code == RESERVED:  # other plans come first: it waits for them
                return TTL_S
            self._waiting.pop(job.id, None)
            raise
        self._waiting.pop(job.id, None)
        self._next(stored.plan.qpus)  # there may be room for one more
        return None

    async def _planned(self, look: _Look) -> StoredPlan:
        """A new plan for a job, which is noted to run it."""
        owner, job_id = look.row.owner, look.record.id
        made = await self._planning.again(owner, look.record, look.row.request)
        await self._planning.keep(owner, made)
        await self._db.write(lambda tx: reservations.set_plan(tx.connection, job_id, made.plan.plan_id))
        return StoredPlan(made.plan, made.parts)

    async def _end(self, job_id: str, error: QpiError) -> None:
        """End the plan's job, and its fragments with it."""

        def unit(tx: Tx) -> None:
            record = jobs.find(tx.connection, job_id)
            if record is not None and record.job.state is JobState.BLOCKED:
                event = Event(kind=EventKind.DEPENDENCY_FAILED, at=tx.at, error=error.to_dict())
                carry_out(tx, record, advance(record.job, event))

        await self._db.write(unit)

    async def _assemble(self, look: _Look) -> None:
        assert look.stored is not None
        plan, parts = look.stored

        def query(connection: Connection) -> Pieces | None:
            runs = fragment_runs(connection, look.record.id, plan)
            results = results_of(connection, [run.job_id for run in runs])
            if results is None or len(runs) != len(plan.fragments):
                return None
            return Pieces(look.record, plan, parts, results, runs)

        if (pieces := await self._db.read(query)) is not None:
            await self._assembler.assemble(pieces)


def _look(connection: Connection, job_id: str) -> _Look | None:
    record, row = jobs.find(connection, job_id), reservations.plan_job(connection, job_id)
    if record is None or row is None:
        return None
    found = None if row.plan_id is None else stored_plan(connection, row.owner, row.plan_id)
    return _Look(record, row, found, latest_of(connection, job_id))


def _ends(connection: Connection, job_id: str) -> list[datetime] | None:
    """When the places of a plan's job end by themselves; None for a job that has ended."""
    record = jobs.find(connection, job_id)
    if record is None or record.job.state.final:
        return None
    return [one.expires_at for one in latest_of(connection, job_id) if one.state not in ENDED]

"""Plans that run: each has a task while there is something to do for it, and is taken up again after a restart.

What is to be done stands in the rows: places to ask for, prepared ones to commit, results to put together. A task only
looks there, and whoever changes them says so; so it may be lost at any moment, with the whole server.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Conflict,
    Event,
    EventKind,
    Faulted,
    Forbidden,
    JobState,
    NotFound,
    Permission,
    Principal,
    QpiError,
    Rejected,
    TooMany,
    Unavailable,
    advance,
    allows,
    existing,
    limited,
    require_quota,
    times,
)
from qpi_jupyter.core.families import require_size
from qpi_jupyter.core.plans import Plan, ReservationState
from qpi_jupyter.core.reservations import ENDED, RESERVED, TTL_S, Reservation, ReservationEvent, next_choice
from qpi_jupyter.core.reservations import ReservationEventKind as Kind
from qpi_jupyter.wire.plans import PlanAndRunIn, PlanJobIn, PlanRun
from qpi_server.service.base import Context, Timers, Tx
from qpi_server.service.lifecycle import (
    Change,
    PlaceWanted,
    carry_out,
    change,
    find,
    moved_to,
    own,
    request,
    visible,
)
from qpi_server.service.links import Links, Unlinked
from qpi_server.service.storage import Disk
from qpi_server.service.submit import Checker, check_key, come_before
from qpi_server.store import JobRecord, jobs, plans, reservations
from qpi_server.store.reservations import PlanJobRow

from .assembling import Assembler, Pieces, results_of
from .beginning import Fragments, Wanted, add_parent, deadline, parent_record, stored
from .parts import Parts
from .places import Places, latest_of, unreachable
from .planning import PlanService, plan_of
from .quality import Quality
from .shown import fragment_runs, plan_run

log = logging.getLogger(__name__)
AGAIN_S = 5.0
"""After a trouble of the lab's own, a plan is taken up again in this time."""
_encode = msgspec.json.Encoder(order="sorted").encode


class _Stored(NamedTuple):
    plan: Plan
    parts: Parts


class _Look(NamedTuple):
    """What there is to do for a plan's job."""

    record: JobRecord
    row: PlanJobRow
    stored: _Stored | None
    latest: list[Reservation]

    def again(self) -> list[str]:
        """The jobs of the fragments that are measured again: all have been once."""
        waits = self.record.job.waits_for
        return [one.child_id for one in self.latest if waits == 1 and one.state not in ENDED]


class PlanRuns:
    """Runs plans: submits them, gets their places, moves their fragments and puts their results together."""

    def __init__(self, context: Context, links: Links, checker: Checker, planning: PlanService) -> None:
        self._context, self._config, self._db, self._links = context, context.config, context.db, links
        self._planning, self._places = planning, Places(context, links, checker)
        self._assembler, self._disk = Assembler(context), Disk(context)
        self._quality = Quality(context, links, planning)
        self._awaited: dict[str, str] = {}
        """Second tries, to the plan's job that waits for them."""
        self._timers = Timers(context.clock)
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._recovered: frozenset[str] = frozenset()
        """Jobs of an earlier server: their QPUs come back one by one."""
        self._back_at = context.now()
        """When all that are still there have come back."""
        context.commits.on(PlaceWanted, lambda wanted: self._wake(wanted.job_id))
        context.commits.on(Change, self._changed)
        context.commits.on(Unlinked, self._unlinked)

    async def recover(self) -> None:
        """Take up what an earlier server left."""
        self._recovered = frozenset(await self._db.read(reservations.unfinished))
        self._back_at = times.after(self._context.now(), 2 * self._config.lease_s)
        for job_id in self._recovered:
            self._wake(job_id)
        if self._recovered:
            self._timers.after(2 * self._config.lease_s, "back", self._all_back)

    def _all_back(self) -> None:
        """The drivers that are not there by now are gone."""
        for qpu in self._context.qpus.names:
            self._lost(qpu)

    async def close(self) -> None:
        """Nothing is begun any more."""
        self._timers.close()
        await self._assembler.close()

    async def submit(
        self, principal: Principal, plan_id: str, wanted: PlanJobIn, *, key: str | None = None
    ) -> tuple[str, bool]:
        """The id of the job that runs a plan, and whether this call made it; on disk when it returns.

        Raises
        ------
        NotFound
            there is no such plan.
        Conflict
            the plan is under way; it is stale, and that was not to be mended; or other plans hold the places.
        """
        self._admit(principal, key)
        fingerprint = hashlib.sha256(_encode((plan_id, wanted))).hexdigest()
        if (known := await self._known(principal, key, fingerprint)) is not None:
            return known, False
        found = await self._stored(principal.name, plan_id)
        if (stale := self._stale(found.plan)) is not None:
            if wanted.stale == "refuse":
                raise stale
            made = await self._planning.make(principal, found.parts.source, found.plan.request)
            await self._planning.keep(principal.name, made)
            plan_id, found = made.plan.plan_id, _Stored(made.plan, made.parts)
        about = Wanted(
            principal=principal, labels=wanted, program=stored(found.parts.source), shots=found.plan.request.shots,
            deadline_s=found.plan.request.deadline_s,
        )  # fmt: skip
        at = self._context.now()
        record = parent_record(self._context, about, found.plan.fragments[0].choices[0].qpu, at)
        fragments = Fragments(self._context, self._links, found.plan, found.parts)

        def unit(tx: Tx) -> tuple[str, bool]:
            if key is not None and (known := come_before(tx.connection, principal.name, key, fingerprint)) is not None:
                return known.id, False
            if (other := reservations.running(tx.connection, principal.name, plan_id)) is not None:
                raise Conflict(
                    f"This plan is under way as job {other}. Wait for that job, or cancel it, to run the plan again.",
                    code="plan_running", job_id=other,
                )  # fmt: skip
            self._require_quota(tx.connection, principal, len(found.plan.fragments))
            chosen = fragments.choose(tx, record.id)
            parent = self._add(tx, record, about, found.plan.request, plan_id)
            fragments.add(tx, parent, chosen)
            if key is not None:
                jobs.add_key(tx.connection, principal.name, key, fingerprint, record.id, tx.at)
            return record.id, True

        return await self._db.write(unit, at=at)

    async def plan_and_run(
        self, principal: Principal, wanted: PlanAndRunIn, *, key: str | None = None
    ) -> tuple[str, bool]:
        """The id of a job whose plan is yet to be made, and whether this call made it; on disk when it returns."""
        self._admit(principal, key)
        fingerprint = hashlib.sha256(_encode(wanted)).hexdigest()
        if (known := await self._known(principal, key, fingerprint)) is not None:
            return known, False
        program, asked = wanted.plan.to_program(), wanted.plan.to_request()
        self._planning.check(program)
        names = asked.qpus or tuple(self._context.qpus.names)
        if not names:
            raise Rejected("The lab has no QPU to plan with.", code="no_target")
        about = Wanted(
            principal=principal, labels=wanted, program=stored(program), shots=asked.shots, deadline_s=asked.deadline_s
        )
        at = self._context.now()
        record = parent_record(self._context, about, self._context.qpus.get(names[0]).name, at)

        def unit(tx: Tx) -> tuple[str, bool]:
            if key is not None and (known := come_before(tx.connection, principal.name, key, fingerprint)) is not None:
                return known.id, False
            self._require_quota(tx.connection, principal, 0)
            self._add(tx, record, about, asked, None)
            tx.tell(PlaceWanted(record.id))
            if key is not None:
                jobs.add_key(tx.connection, principal.name, key, fingerprint, record.id, tx.at)
            return record.id, True

        return await self._db.write(unit, at=at)

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

    # --- submitting

    def _admit(self, principal: Principal, key: str | None) -> None:
        if not allows(principal, Permission.JOBS_SUBMIT):
            raise Forbidden("You don't have permission to submit jobs.", code="forbidden")
        if key is not None:
            check_key(key)
        if limited(principal):
            self._disk.require_space()

    async def _known(self, principal: Principal, key: str | None, fingerprint: str) -> str | None:
        if key is None:
            return None
        known = await self._db.read(lambda c: come_before(c, principal.name, key, fingerprint))
        return None if known is None else known.id

    def _require_quota(self, connection: Connection, principal: Principal, fragments: int) -> None:
        require_size(fragments + 1)
        most = self._config.quotas.max_queued_jobs if limited(principal) else None
        if most is not None:
            require_quota(
                jobs.waiting(connection, principal.name, most) + fragments, most, "waiting jobs",
                "wait until some have run, or cancel some", code="too_many_queued", setting="max_queued_jobs",
            )  # fmt: skip

    def _add(self, tx: Tx, record: JobRecord, about: Wanted, asked: object, plan_id: str | None) -> JobRecord:
        parent = add_parent(tx, record, about.program)
        row = PlanJobRow(
            job_id=record.id, owner=record.job.owner, request=msgspec.to_builtins(asked), plan_id=plan_id,
            deadline_at=deadline(tx.at, about.deadline_s),
        )  # fmt: skip
        reservations.add_job(tx.connection, row)
        return parent

    def _stale(self, plan: Plan) -> Conflict | None:
        """Why a plan is not for the QPUs as they are now."""
        for choice in (fragment.choices[0] for fragment in plan.fragments):
            manifest = self._context.qpus.get(choice.qpu).manifest if choice.qpu in self._context.qpus else None
            now = "" if manifest is None else manifest.calibration_id
            if manifest is None or now != choice.calibration_id:
                return Conflict(
                    f"The plan was made for calibration {choice.calibration_id or 'none'} of {choice.qpu}, which has "
                    f"{now or 'none'} now. Plan the circuit again, or submit with stale=\"replan\".",
                    code="stale_plan", qpu=choice.qpu, planned=choice.calibration_id, current=now,
                )  # fmt: skip
        return None

    async def _stored(self, owner: str, plan_id: str) -> _Stored:
        found = await self._db.read(lambda connection: _stored(connection, owner, plan_id))
        return existing(found, NotFound(f"You have no plan {plan_id!r}: plan the circuit again.", code="unknown_plan"))

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
        elif job.state is JobState.BLOCKED and job.waits_for == 1:
            self._wake(job.id)

    async def _work(self, job_id: str) -> None:
        try:
            again = True
            while again:
                self._again.discard(job_id)
                try:
                    await self._stepped(job_id)
                except (Unavailable, TooMany, TimeoutError) as problem:
                    log.warning("the plan of %s is taken up again in %g s: %s", job_id, AGAIN_S, problem)
                    self._timers.after(AGAIN_S, job_id, lambda: self._wake(job_id))
                again = job_id in self._again
        finally:
            self._busy.discard(job_id)

    async def _stepped(self, job_id: str) -> None:
        """As `_step`; what is wrong and will not pass ends the plan."""
        try:
            await self._step(job_id)
        except (Unavailable, TooMany):
            raise
        except QpiError as error:
            await self._end(job_id, error)

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
        wait_s, over = None, any(one.expires_at <= now for one in look.latest if one.state not in ENDED)
        states, returning = {one.state for one in look.latest}, self._returning(job_id)
        if over:
            await self._db.write(lambda tx: self._expire(tx, look))
        if ReservationState.REQUESTED in states and (returning or not over):
            wait_s = await self._places.prepare(look.stored.plan, job_id, returning=returning)
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
        """Make the fragments' jobs of a job that came without a plan; in how many seconds to try again, None: done."""
        job = look.record.job
        try:
            stored = look.stored
            if stored is None or self._stale(stored.plan) is not None:
                stored = await self._planned(look)
            fragments = Fragments(self._context, self._links, stored.plan, stored.parts)

            def unit(tx: Tx) -> None:
                record = find(tx.connection, job.id)
                if record.job.state is JobState.BLOCKED:
                    fragments.add(tx, record, fragments.choose(tx, job.id))

            await self._db.write(unit)
        except QpiError as error:
            if error.code == RESERVED:  # other plans come first: it waits for them
                return AGAIN_S
            if error.code == "infeasible" and self._returning(job.id):
                raise Unavailable(f"The QPUs are not back yet: {error.message}") from error
            raise
        return None

    async def _planned(self, look: _Look) -> _Stored:
        """A new plan for a job, which is noted to run it."""
        owner, job_id = look.row.owner, look.record.id
        made = await self._planning.again(owner, look.record, look.row.request)
        await self._planning.keep(owner, made)
        await self._db.write(lambda tx: reservations.set_plan(tx.connection, job_id, made.plan.plan_id))
        return _Stored(made.plan, made.parts)

    def _returning(self, job_id: str) -> bool:
        """Whether drivers may still be on their way back to this lab, for a job that an earlier server had."""
        return job_id in self._recovered and self._context.now() < self._back_at

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

    # --- places whose time is over, and drivers that are gone

    def _expire(self, tx: Tx, look: _Look) -> None:
        assert look.stored is not None
        plan = look.stored.plan
        for one in latest_of(tx.connection, look.record.id):
            if one.expires_at > tx.at or one.state in ENDED:
                continue
            if self._returning(look.record.id):  # nobody could do anything while there was no server
                reservations.prolong(tx.connection, one, times.after(tx.at, TTL_S))
            elif one.state is ReservationState.COMMITTED:
                self.overdue(tx, plan, one, Kind.EXPIRED, "The fragment did not begin in its time.")
            else:
                problem = Conflict("The places of the plan were not prepared in time.", code="expired")
                self._places.next(tx, plan, one, problem, Kind.EXPIRED)

    def overdue(self, tx: Tx, plan: Plan, place: Reservation, kind: Kind, reason: str) -> None:
        """A committed place whose fragment waits in vain: it goes to its next QPU. Where it is on its last, it fails
        if the driver there is gone; and else, or where it has begun, it keeps its place a while longer."""
        child = jobs.find(tx.connection, place.child_id)
        if child is None:
            return
        used = reservations.of_child(tx.connection, place.child_id)
        places = reservations.of_fragment(tx.connection, place.job_id, place.fragment)
        choice = next_choice(plan.fragments[place.fragment].choices, {one.qpu for one in places})
        if choice is None and child.job.state is JobState.QUEUED and self._gone(place.qpu, place.job_id):
            error = unreachable(place.qpu).to_dict()
            carry_out(tx, child, advance(child.job, Event(kind=EventKind.ABANDONED, at=tx.at, error=error)))
            return
        if choice is None or child.job.state is not JobState.QUEUED:
            reservations.prolong(tx.connection, place, times.after(tx.at, TTL_S))
            return
        change(tx, place, ReservationEvent(kind=kind, at=tx.at, reason=reason), owner=child.job.owner)
        carry_out(tx, child, advance(child.job, moved_to(tx.connection, choice.qpu, tx.at)))
        request(tx, place, choice.qpu, owner=child.job.owner, number=len(used) + 1)

    def _gone(self, qpu: str, job_id: str) -> bool:
        """Whether a QPU's driver is gone; those of an earlier server's jobs have time to come back."""
        back = job_id not in self._recovered or self._context.now() >= self._back_at
        return back and not self._links.online(qpu)

    def _unlinked(self, gone: Unlinked) -> None:
        """A driver's link is no more: if none comes within its lease, what waits for it goes elsewhere."""
        qpu = gone.link.qpu
        self._timers.after(self._config.lease_s, f"lost {qpu}", lambda: self._lost(qpu))

    def _lost(self, qpu: str) -> None:
        if not self._links.online(qpu):
            self._context.tasks.start(self._leave(qpu), f"plans leave {qpu}")

    async def _leave(self, qpu: str) -> None:
        def unit(tx: Tx) -> bool:
            places, plans_of = reservations.open_on(tx.connection, qpu), dict[str, Plan | None]()
            for place in places:
                if place.job_id not in plans_of:
                    plans_of[place.job_id] = _plan_of_job(tx.connection, place.job_id)
                if (plan := plans_of[place.job_id]) is not None:
                    self.overdue(tx, plan, place, Kind.EXPIRED, unreachable(qpu).message)
            return bool(places)

        if await self._db.write(unit):  # what has begun there may come to wait again
            self._timers.after(AGAIN_S, f"lost {qpu}", lambda: self._lost(qpu))


def _stored(connection: Connection, owner: str, plan_id: str) -> _Stored | None:
    row, packed = plans.find(connection, owner, plan_id), plans.parts(connection, owner, plan_id)
    return None if row is None or packed is None else _Stored(plan_of(row), Parts.read(packed))


def _look(connection: Connection, job_id: str) -> _Look | None:
    record, row = jobs.find(connection, job_id), reservations.plan_job(connection, job_id)
    if record is None or row is None:
        return None
    found = None if row.plan_id is None else _stored(connection, row.owner, row.plan_id)
    return _Look(record, row, found, latest_of(connection, job_id))


def _plan_of_job(connection: Connection, job_id: str) -> Plan | None:
    row = reservations.plan_job(connection, job_id)
    found = None if row is None or row.plan_id is None else plans.find(connection, row.owner, row.plan_id)
    return None if found is None else plan_of(found)


def _ends(connection: Connection, job_id: str) -> list[datetime] | None:
    """When the places of a plan's job end by themselves; None for a job that has ended."""
    record = jobs.find(connection, job_id)
    if record is None or record.job.state.final:
        return None
    return [one.expires_at for one in latest_of(connection, job_id) if one.state not in ENDED]

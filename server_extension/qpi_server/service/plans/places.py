"""Places on QPUs: asked for, prepared by drivers, and committed together.

Drivers are asked all at once. What they answer is written in the order of the QPUs' names, so that two plans never hold
what the other one needs; and nothing is committed before everything is prepared. Those that have answered share a unit,
and the last one commits: each unit is a wait for the disk that every fragment has before it.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from qpi_jupyter.core import (
    Conflict,
    Estimate,
    Event,
    EventKind,
    JobState,
    QpiError,
    Rejected,
    Unavailable,
    advance,
    times,
)
from qpi_jupyter.core.plans import Choice, Plan, ReservationState
from qpi_jupyter.core.reservations import (
    TTL_S,
    UNFIT,
    Compiled,
    Reservation,
    ReservationEvent,
    asked_again,
    back_off_s,
    committed_until,
    next_choice,
)
from qpi_jupyter.core.reservations import ReservationEventKind as Kind
from qpi_jupyter.core.trust import require_trust
from qpi_jupyter.wire.events import JobChecked
from qpi_jupyter.wire.faultpoint import reach
from qpi_server.service.base import Context, Tx
from qpi_server.service.lifecycle import (
    Queued,
    all_used,
    carry_out,
    change,
    end,
    find,
    moved_to,
    request,
    write_event,
)
from qpi_server.service.links import Links, state_of
from qpi_server.service.submit import Checker, StoredProgram, checked, stored_program
from qpi_server.store import JobRecord, bench, jobs, reservations
from qpi_server.store.load import loads

from .beginning import place_problem

AT_ONCE = 8
"""Questions to the drivers of one QPU at the same time."""
TOGETHER_S = 0.1
"""So long answers wait for those of other drivers, to be written with them."""
RETURN_S = 1.0
"""So often a driver is looked for that comes back after a restart of the lab."""


class Wanted(NamedTuple):
    """A place that is asked for, and what is to run there."""

    reservation: Reservation
    child: JobRecord
    program: StoredProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question: the estimate of a driver that can do it and what it compiled, or why not."""

    wanted: Wanted
    estimate: Estimate | None = None
    timeout_s: float = 0.0
    compiled: Compiled | None = None
    problem: QpiError | None = None


class Places:
    """Prepares and commits the places of plans."""

    def __init__(self, context: Context, links: Links, checker: Checker) -> None:
        self._context, self._db, self._links, self._checker = context, context.db, links, checker
        self._tries: Counter[str] = Counter()
        """Refusals of each reservation that is asked for again."""
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))

    async def prepare(self, plan: Plan, job_id: str, *, returning: bool = False) -> float | None:
        """Ask for the places that the plan's job needs, and commit them once all are prepared; in how many seconds to
        ask again, None: not again. ``returning``: a driver that is not there is waited for."""
        wanted = await self._db.read(lambda connection: _wanted(connection, job_id))
        if not wanted:
            return None
        by_qpu: defaultdict[str, list[asyncio.Task[Answer]]] = defaultdict(list)
        again = []
        try:
            async with asyncio.TaskGroup() as group:
                for one in wanted:
                    by_qpu[one.reservation.qpu].append(group.create_task(self._ask(plan, one)))
                await asyncio.wait([task for asked in by_qpu.values() for task in asked], timeout=TOGETHER_S)
                left = sorted(by_qpu)
                while left:
                    answers = await asyncio.gather(*by_qpu[left.pop(0)])
                    while left and all(task.done() for task in by_qpu[left[0]]):
                        answers += await asyncio.gather(*by_qpu[left.pop(0)])
                    again.append(await self._write(plan, answers, "" if left else job_id, returning=returning))
        except ExceptionGroup as several:  # what the writing raised: the disk is full
            raise several.exceptions[0] from several
        return min((wait_s for wait_s in again if wait_s is not None), default=None)

    async def commit(self, job_id: str) -> None:
        """Commit all places of a plan's job, if they are prepared, and let its fragments go."""
        await self._db.write(lambda tx: self.commit_all(tx, job_id))

    async def _ask(self, plan: Plan, wanted: Wanted) -> Answer:
        qpu, fragment = wanted.reservation.qpu, plan.fragments[wanted.reservation.fragment]
        try:
            choice = next(one for one in fragment.choices if one.qpu == qpu)
            card = self._context.qpus.get(qpu)
            require_trust(card.name, card.trust, card.withheld)
            async with self._turns[qpu]:
                fitted = await self._checker.compile(
                    qpu, wanted.program, wanted.child.job.owner, self._context.config.check_timeout_s,
                    seed=plan.request.seed,
                )  # fmt: skip
            compiled = fitted.compiled or self._as_planned(choice, wanted.program)
            require_fit(qpu, compiled, plan.request.min_fidelity)
        except QpiError as error:
            return Answer(wanted=wanted, problem=error)
        return Answer(
            wanted=wanted, estimate=fitted.estimate, timeout_s=fitted.link.timeout_s, compiled=compiled
        )  # fmt: skip

    def _as_planned(self, choice: Choice, program: StoredProgram) -> Compiled | None:
        """What the plan says of a QPU whose driver does not compile; None where it was calibrated again since."""
        manifest = self._context.qpus.get(choice.qpu).manifest
        if manifest is None or manifest.calibration_id != choice.calibration_id:
            return None
        return Compiled(
            esp=choice.cost.esp, shot_s=0.0, digest=program.key, calibration_id=choice.calibration_id
        )  # fmt: skip

    async def _write(self, plan: Plan, answers: Sequence[Answer], last_of: str, *, returning: bool) -> float | None:
        """Write what drivers answered; in how many seconds to ask again what may pass.

        ``last_of`` is the plan's job where nobody has yet to answer: its places are committed, if all are prepared.
        """

        def unit(tx: Tx) -> tuple[dict[str, float], bool]:
            again, qpus = {}, _Qpus(tx, self._links)
            for answer in answers:
                reservation = answer.wanted.reservation
                problem = answer.problem or qpus.problem(plan, reservation)
                if returning and problem is not None and problem.code == "qpu_offline":
                    again[reservation.id] = RETURN_S
                elif problem is None:
                    self._prepared(tx, answer, qpus)
                elif (wait_s := self._refused(tx, plan, answer, problem)) is not None:
                    again[reservation.id] = wait_s
            return again, last_of != "" and self.commit_all(tx, last_of)

        if last_of:
            reach("plan_before_commit")
        work = self._db.write(unit)
        if last_of:
            # The units that pick are queued right behind: the places' commit gives the fragments to waiting drivers.
            first = {answer.wanted.reservation.qpu: answer.wanted.child.job for answer in answers}
            self._context.commits.tell(map(Queued, first.values()))
        waits, committed = await work
        if committed:
            reach("plan_after_commit")
        for answer in answers:
            if waits.get(answer.wanted.reservation.id) == RETURN_S:
                continue  # nobody was asked
            if answer.wanted.reservation.id in waits:
                self._tries[answer.wanted.reservation.id] += 1
            else:
                self._tries.pop(answer.wanted.reservation.id, None)
        return min(waits.values(), default=None)

    def _prepared(self, tx: Tx, answer: Answer, qpus: _Qpus) -> None:
        reservation, before = answer.wanted.reservation, jobs.find(tx.connection, answer.wanted.child.id)
        assert answer.estimate is not None
        if before is None or before.job.state is not JobState.BLOCKED:
            return
        event, compiled = ReservationEvent(
            kind=Kind.PREPARED, at=tx.at, duration_s=answer.estimate.estimate_s, digest=answer.wanted.program.key,
            expires_at=times.after(tx.at, TTL_S),
        ), answer.compiled  # fmt: skip
        if compiled is not None:
            event = replace(
                event, esp=compiled.esp, shot_s=compiled.shot_s or None, digest=compiled.digest,
                calibration_id=compiled.calibration_id,
            )  # fmt: skip
        if change(tx, reservation, event, owner=before.job.owner) is reservation:
            return
        correction = qpus.correction(reservation.qpu)
        after = replace(
            before, job=checked(before.job, answer.estimate, answer.timeout_s, correction),
            raw_estimate_s=answer.estimate.estimate_s, num_circuits=answer.estimate.num_circuits,
            version=before.version + 1,
        )  # fmt: skip
        jobs.save(tx.connection, before, after)
        write_event(tx, JobChecked, after)

    def _refused(self, tx: Tx, plan: Plan, answer: Answer, problem: QpiError) -> float | None:
        """The same QPU again in so many seconds, or the fragment's next one, or the end of the plan."""
        reservation = answer.wanted.reservation
        tries = self._tries[reservation.id] + 1
        if asked_again(problem, tries):
            return back_off_s(plan.request.seed, reservation.fragment, tries)
        self.next(tx, plan, reservation, problem, Kind.REFUSED)
        return None

    def next(self, tx: Tx, plan: Plan, reservation: Reservation, problem: QpiError, kind: Kind) -> None:
        """End a place that came to nothing; its fragment goes to its next QPU, or, where none is left, fails."""
        child = jobs.find(tx.connection, reservation.child_id)
        owner = "" if child is None else child.job.owner
        if end(tx, reservation, kind, owner=owner, reason=problem.message) is reservation:
            return
        if child is None or child.job.state is not JobState.BLOCKED:
            return
        choice = left_for(tx.connection, plan, reservation)
        if choice is None:
            error = all_used(tx.connection, reservation, problem).to_dict()
            failed = Event(kind=EventKind.DEPENDENCY_FAILED, at=tx.at, error=error)
            carry_out(tx, child, advance(child.job, failed))
            return
        self.move(tx, reservation, child, choice)

    @staticmethod
    def move(tx: Tx, place: Reservation, child: JobRecord, choice: Choice) -> None:
        """Ask for a place on another QPU for a fragment whose place has ended."""
        used = reservations.of_child(tx.connection, child.id)
        carry_out(tx, child, advance(child.job, moved_to(tx.connection, choice.qpu, tx.at)))
        request(tx, place, choice.qpu, owner=child.job.owner, number=len(used) + 1)

    def commit_all(self, tx: Tx, job_id: str) -> bool:
        latest = latest_of(tx.connection, job_id)
        prepared = [one for one in latest if one.state is ReservationState.PREPARED]
        if not prepared or any(one.state is ReservationState.REQUESTED for one in latest):
            return False
        many, ahead_s = loads(tx.connection), dict[str, float]()
        for reservation in sorted(prepared, key=lambda one: (one.qpu, one.fragment)):
            qpu, child = reservation.qpu, find(tx.connection, reservation.child_id)
            if qpu not in ahead_s:
                row = bench.qpu(tx.connection, qpu)
                ahead_s[qpu] = 0.0 if row is None or not sum(many[qpu]) else row.queued_s
            wait_s = ahead_s[qpu] / max(1, self._links.places(qpu))
            until = committed_until(tx.at, wait_s, child.job.upper_s)
            event = ReservationEvent(kind=Kind.COMMITTED, at=tx.at, expires_at=until)
            change(tx, reservation, event, owner=child.job.owner)
            carry_out(tx, child, advance(child.job, Event(kind=EventKind.DEPENDENCY_DONE, at=tx.at)))
            ahead_s[qpu] += child.job.estimate_s
        return True


class _Qpus:
    """What is the same for all places of a plan's job on one QPU, while they are written: looked up once."""

    def __init__(self, tx: Tx, links: Links) -> None:
        self._tx, self._links = tx, links
        self._problems: dict[str, Conflict | None] = {}
        self._closed: dict[str, Conflict | None] = {}
        self._corrections: dict[str, float] = {}

    def problem(self, plan: Plan, place: Reservation) -> Conflict | None:
        """Why a fragment can have no place there: the QPU takes no jobs, and there is another one; or it is taken."""
        qpu = place.qpu
        if qpu not in self._problems:
            self._closed[qpu] = closed(self._tx.connection, qpu, self._tx.at)
            self._problems[qpu] = place_problem(self._tx, self._links, qpu, place.job_id)
        shut = self._closed[qpu]
        if shut is not None and left_for(self._tx.connection, plan, place) is not None:
            return shut
        return self._problems[qpu]

    def correction(self, qpu: str) -> float:
        """What measured times are to estimated ones."""
        if qpu not in self._corrections:
            self._corrections[qpu] = bench.correction(self._tx.connection, qpu) or 1.0
        return self._corrections[qpu]


def latest_of(connection: Connection, job_id: str) -> list[Reservation]:
    """The latest place of each fragment of a plan's job, in their order."""
    found: dict[int, Reservation] = {one.fragment: one for one in reservations.of_job(connection, job_id)}
    return list(found.values())


def left_for(connection: Connection, plan: Plan, place: Reservation) -> Choice | None:
    """The QPU that the fragment of a place goes to next; None: it has been on all of them."""
    places = reservations.of_fragment(connection, place.job_id, place.fragment)
    return next_choice(plan.fragments[place.fragment].choices, {one.qpu for one in places})


def closed(connection: Connection, qpu: str, at: datetime) -> Conflict | None:
    """Why no job may start on a QPU, whether its driver is there or not."""
    row = bench.qpu(connection, qpu)
    state = None if row is None else state_of(connection, row, at, online=True)
    if state is not None and state.open:
        return None
    words = "deleted" if state is None else state.words
    return Conflict(f"{qpu} takes no jobs now: it is {words}.", code="qpu_closed", qpu=qpu)


def _wanted(connection: Connection, job_id: str) -> list[Wanted]:
    """The places of a plan's job that are asked for."""
    found = []
    for one in latest_of(connection, job_id):
        if one.state is not ReservationState.REQUESTED:
            continue
        child = jobs.find(connection, one.child_id)
        program = None if child is None else stored_program(connection, child)
        if child is not None and program is not None and child.job.state is JobState.BLOCKED:
            found.append(Wanted(one, child, program))
    return found


def require_fit(qpu: str, compiled: Compiled | None, least: float) -> None:
    """Refuse a QPU that is not good enough for a fragment, or may not be.

    Raises
    ------
    Rejected
        its success probability is less than ``least``, or not known; the HTTP status of that is 412.
    """
    if not least:
        return
    if compiled is None:
        raise Rejected(
            f"{qpu} was calibrated again since the plan was made: its success probability for this fragment is not "
            f"known, and {least:g} is wanted.",
            code=UNFIT, qpu=qpu, min_fidelity=least,
        )  # fmt: skip
    if compiled.esp < least:
        raise Rejected(
            f"The estimated success probability on {qpu} is {compiled.esp:.3f}; {least:g} is wanted.",
            code=UNFIT, qpu=qpu, esp=compiled.esp, min_fidelity=least,
        )  # fmt: skip


def unreachable(qpu: str) -> QpiError:
    """What is said of a place whose driver is gone."""
    return Unavailable(f"The driver of {qpu} is gone.", code="driver_lost")

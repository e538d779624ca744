"""Places on QPUs: asked for, prepared by drivers, and committed together.

Drivers are asked all at once. What they answer is written QPU by QPU, in the order of their names, so that two plans
never hold what the other one needs; and nothing is committed before everything is prepared.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import Connection

from qpi_jupyter.core import (
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
    LOW_FIDELITY,
    TTL_S,
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
from qpi_server.service.lifecycle import all_used, carry_out, change, end, find, moved_to, request, write_event
from qpi_server.service.links import Links
from qpi_server.service.submit import Checker, StoredProgram, checked, stored_program
from qpi_server.store import JobRecord, bench, jobs, reservations
from qpi_server.store.load import loads

from .beginning import place_problem

AT_ONCE = 8
"""Questions to the drivers of one QPU at the same time."""


class Wanted(NamedTuple):
    """A place that is asked for, and what is to run there."""

    reservation: Reservation
    child: JobRecord
    program: StoredProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question: the estimate of a driver that can do it, or why not."""

    wanted: Wanted
    estimate: Estimate | None = None
    timeout_s: float = 0.0
    esp: float | None = None
    problem: QpiError | None = None


class Places:
    """Prepares and commits the places of plans."""

    def __init__(self, context: Context, links: Links, checker: Checker) -> None:
        self._context, self._db, self._links, self._checker = context, context.db, links, checker
        self._tries: Counter[str] = Counter()
        """Refusals of each reservation that is asked for again."""
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))

    async def prepare(self, plan: Plan, job_id: str) -> float | None:
        """Ask for the places that the plan's job needs; in how many seconds to ask again, None: not again."""
        wanted = await self._db.read(lambda connection: _wanted(connection, job_id))
        by_qpu: defaultdict[str, list[asyncio.Task[Answer]]] = defaultdict(list)
        try:
            async with asyncio.TaskGroup() as group:
                for one in wanted:
                    by_qpu[one.reservation.qpu].append(group.create_task(self._ask(plan, one)))
                again = [await self._write(plan, await asyncio.gather(*by_qpu[qpu])) for qpu in sorted(by_qpu)]
        except ExceptionGroup as several:  # what the writing raised: the disk is full
            raise several.exceptions[0] from several
        return min((wait_s for wait_s in again if wait_s is not None), default=None)

    async def commit(self, job_id: str) -> bool:
        """Commit all places of a plan's job, and let its fragments go; False where one is not prepared yet."""
        reach("plan_before_commit")
        done = await self._db.write(lambda tx: self._commit(tx, job_id))
        if done:
            reach("plan_after_commit")
        return done

    async def _ask(self, plan: Plan, wanted: Wanted) -> Answer:
        qpu, fragment = wanted.reservation.qpu, plan.fragments[wanted.reservation.fragment]
        try:
            choice = next(one for one in fragment.choices if one.qpu == qpu)
            esp = self._esp(choice, plan.request.min_fidelity)
            async with self._turns[qpu]:
                timeout_s = self._context.config.check_timeout_s
                link, estimate = await self._checker.ask(qpu, wanted.program, wanted.child.job.owner, timeout_s)
        except QpiError as error:
            return Answer(wanted=wanted, problem=error)
        return Answer(wanted=wanted, estimate=estimate, timeout_s=link.timeout_s, esp=esp)

    def _esp(self, choice: Choice, least: float) -> float | None:
        """The ESP there, None where that is not known for today's calibration.

        Raises
        ------
        NotFound
            the QPU was deleted.
        Conflict
            it gets no jobs, for want of trust.
        Rejected
            it is less than ``least``, or may be.
        """
        qpu = self._context.qpus.get(choice.qpu)
        require_trust(qpu.name, qpu.trust, qpu.withheld)
        manifest = qpu.manifest
        esp = choice.cost.esp if manifest is not None and manifest.calibration_id == choice.calibration_id else None
        if esp is None and least:
            raise Rejected(
                f"{choice.qpu} was calibrated again since the plan was made: its success probability for this "
                f"fragment is not known, and {least:g} is wanted.",
                code=LOW_FIDELITY,
            )
        if esp is not None and esp < least:
            raise Rejected(
                f"The estimated success probability on {choice.qpu} is {esp:.3f}; {least:g} is wanted.",
                code=LOW_FIDELITY,
            )
        return esp

    async def _write(self, plan: Plan, answers: Sequence[Answer]) -> float | None:
        """Write what the drivers of one QPU answered; in how many seconds to ask again what may pass."""

        def unit(tx: Tx) -> list[tuple[str, float]]:
            again = []
            for answer in answers:
                problem = answer.problem or self._place(tx, answer)
                if problem is None:
                    self._prepared(tx, answer)
                elif (wait_s := self._refused(tx, plan, answer, problem)) is not None:
                    again.append((answer.wanted.reservation.id, wait_s))
            return again

        again = await self._db.write(unit)
        waits = dict(again)
        for answer in answers:
            if answer.wanted.reservation.id in waits:
                self._tries[answer.wanted.reservation.id] += 1
            else:
                self._tries.pop(answer.wanted.reservation.id, None)
        return min(waits.values(), default=None)

    def _place(self, tx: Tx, answer: Answer) -> QpiError | None:
        reservation = answer.wanted.reservation
        return place_problem(tx, self._links, reservation.qpu, reservation.job_id)

    def _prepared(self, tx: Tx, answer: Answer) -> None:
        reservation, before = answer.wanted.reservation, jobs.find(tx.connection, answer.wanted.child.id)
        assert answer.estimate is not None
        if before is None or before.job.state is not JobState.BLOCKED:
            return
        event = ReservationEvent(
            kind=Kind.PREPARED, at=tx.at, esp=answer.esp, duration_s=answer.estimate.estimate_s,
            digest=answer.wanted.program.key, expires_at=times.after(tx.at, TTL_S),
        )  # fmt: skip
        if change(tx, reservation, event, owner=before.job.owner) is reservation:
            return
        correction = bench.correction(tx.connection, reservation.qpu) or 1.0
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
        used = reservations.of_child(tx.connection, reservation.job_id, reservation.child_id)
        choice = next_choice(plan.fragments[reservation.fragment].choices, {one.qpu for one in used})
        if choice is None:
            error = all_used(tx.connection, used[-1], problem).to_dict()
            failed = Event(kind=EventKind.DEPENDENCY_FAILED, at=tx.at, error=error)
            carry_out(tx, child, advance(child.job, failed))
            return
        carry_out(tx, child, advance(child.job, moved_to(tx.connection, choice.qpu, tx.at)))
        request(tx, reservation, choice.qpu, owner=child.job.owner, number=len(used) + 1)

    def _commit(self, tx: Tx, job_id: str) -> bool:
        latest = latest_of(tx.connection, job_id)
        prepared = [one for one in latest if one.state is ReservationState.PREPARED]
        if not prepared or any(one.state is ReservationState.REQUESTED for one in latest):
            return False
        many = loads(tx.connection)
        for reservation in sorted(prepared, key=lambda one: (one.qpu, one.fragment)):
            child = find(tx.connection, reservation.child_id)
            row, places = bench.qpu(tx.connection, reservation.qpu), max(1, self._links.places(reservation.qpu))
            wait_s = 0.0 if row is None or not sum(many[reservation.qpu]) else row.queued_s / places
            until = committed_until(tx.at, wait_s, child.job.upper_s)
            event = ReservationEvent(kind=Kind.COMMITTED, at=tx.at, expires_at=until)
            change(tx, reservation, event, owner=child.job.owner)
            carry_out(tx, child, advance(child.job, Event(kind=EventKind.DEPENDENCY_DONE, at=tx.at)))
        return True


def latest_of(connection: Connection, job_id: str) -> list[Reservation]:
    """The latest place of each fragment of a plan's job, in their order."""
    found: dict[int, Reservation] = {one.fragment: one for one in reservations.of_job(connection, job_id)}
    return list(found.values())


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


def unreachable(qpu: str) -> QpiError:
    """What is said of a place whose driver is gone."""
    return Unavailable(f"The driver of {qpu} is gone.", code="driver_lost")

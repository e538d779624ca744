"""A plan's job and its fragments' jobs, as they are stored: all in one transaction, or none."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec

from qpi_jupyter.core import Conflict, Job, JobState, Principal, Program, RetryPolicy, programs, times
from qpi_jupyter.core.plans import Choice, Fragment, Plan
from qpi_jupyter.core.reservations import Reservation, require_place
from qpi_jupyter.wire.events import JobSubmitted
from qpi_jupyter.wire.plans import PlanJobLabels
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.service.accounts import set_aside
from qpi_server.service.base import Context, Tx
from qpi_server.service.lifecycle import hold_for, labelled, request, write_event
from qpi_server.service.links import Links
from qpi_server.service.submit import Stored, StoredProgram, account_of
from qpi_server.store import JobRecord, families, jobs, reservations
from qpi_server.store.view import calendar

from .parts import Parts

NAME = "plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose plan's job it is to be, and what is said of it; ``program`` is the circuit that the plan is for."""

    principal: Principal
    labels: PlanJobLabels
    program: StoredProgram
    shots: int
    deadline_s: float | None


def stored(program: Program) -> StoredProgram:
    """A program as it is stored, run with its shots and its seed."""
    packed, options = programs.pack(program.sources), program.options
    seed = options.seed_simulator
    return StoredProgram(
        format=program.format, packed=packed, sha256=programs.digest(packed),
        options=msgspec.json.encode(OptionsIn(shots=options.shots, seed_simulator=seed)),
    )  # fmt: skip


def parent_record(context: Context, wanted: Wanted, qpu: str, at: datetime) -> JobRecord:
    """The plan's job: it waits for its fragments, and then for the lab, which puts its result together itself."""
    job = Job(
        id=f"job-{secrets.token_hex(8)}", owner=wanted.principal.name, qpu=qpu, state=JobState.BLOCKED, waits_for=1,
        priority=wanted.labels.priority, submitted_at=at, retry_safe=wanted.labels.retry_safe,
        account=account_of(wanted.principal, wanted.labels.group),
    )  # fmt: skip
    return JobRecord(
        job=job.with_(family=job.id), labels=labelled(wanted.principal, wanted.labels),
        origin=msgspec.to_builtins(wanted.labels.origin), format=wanted.program.format,
        program_sha256=wanted.program.sha256, num_circuits=1, shots=wanted.shots, submitted_at=at,
    )  # fmt: skip


def add_parent(tx: Tx, record: JobRecord, program: StoredProgram) -> JobRecord:
    """Write the plan's job, which holds no QPU time of its own."""
    jobs.add_program(tx.connection, program.sha256, program.packed, tx.at)
    seq = jobs.add(tx.connection, record, program.options)
    record = replace(record, job=record.job.with_(seq=seq))
    write_event(tx, JobSubmitted, record)
    tx.tell(Stored(record))
    return record


class Fragments:
    """Writes the fragments' jobs of a plan's job, each with its first place requested."""

    def __init__(self, context: Context, links: Links, plan: Plan, parts: Parts) -> None:
        self._context, self._links, self._plan = context, links, plan
        self._programs = [stored(parts.fragment(fragment, plan.request.seed)) for fragment in plan.fragments]

    def choose(self, tx: Tx, parent: str) -> list[Choice]:
        """For each fragment the first of its QPUs that other plans leave a place on.

        Raises
        ------
        Conflict
            a fragment has none; with ``next_free_at``.
        """
        problems: dict[str, Conflict | None] = {}
        chosen = []
        for fragment in self._plan.fragments:
            for choice in fragment.choices:
                if choice.qpu not in problems:
                    problems[choice.qpu] = place_problem(tx, self._links, choice.qpu, parent, wanted=True)
            free = next((one for one in fragment.choices if problems[one.qpu] is None), None)
            if free is None:
                problem = problems[fragment.choices[0].qpu]
                assert problem is not None
                raise problem
            chosen.append(free)
        return chosen

    def add(self, tx: Tx, parent: JobRecord, chosen: Sequence[Choice]) -> JobRecord:
        """Write them; the parent as it is now.

        Raises
        ------
        Forbidden
            the account cannot bear it.
        """
        children = [
            self._child(tx, parent, fragment, program, choice)
            for fragment, program, choice in zip(self._plan.fragments, self._programs, chosen, strict=True)
        ]
        ids = [child.id for child in children]
        families.join(tx.connection, parent, children, ids)
        waits = parent.job.with_(waits_for=len(children) + 1, qpu=chosen[0].qpu)
        after = replace(parent, job=waits, version=parent.version + 1)
        jobs.save(tx.connection, parent, after)
        for fragment, child in zip(self._plan.fragments, children, strict=True):
            first = Reservation(
                id="", job_id=parent.id, fragment=fragment.index, child_id=child.id, qpu=child.job.qpu,
                created_at=tx.at, changed_at=tx.at, expires_at=tx.at,
            )  # fmt: skip
            request(tx, first, child.job.qpu, owner=parent.job.owner, number=1)
        return after

    def again(self, tx: Tx, parent: JobRecord, first: Reservation, choice: Choice) -> None:
        """Have the fragment of a place measured again, as a job of its own, which the plan's job does not wait for.

        Raises
        ------
        Forbidden
            the account cannot bear it.
        """
        fragment = self._plan.fragments[first.fragment]
        child = self._child(tx, parent, fragment, self._programs[first.fragment], choice)
        families.adopt(tx.connection, parent.id, child.id)
        request(tx, replace(first, child_id=child.id), choice.qpu, owner=parent.job.owner, number=1)

    def _child(
        self, tx: Tx, parent: JobRecord, fragment: Fragment, program: StoredProgram, choice: Choice
    ) -> JobRecord:  # fmt: skip
        qpu = self._context.qpus.get(choice.qpu)
        bound = min(self._context.config.job_timeout_s, self._context.config.unchecked_upper_s)
        job = Job(
            id=f"job-{secrets.token_hex(8)}", owner=parent.job.owner, qpu=qpu.name, state=JobState.BLOCKED,
            waits_for=1, retry=RetryPolicy.SIMULATOR if qpu.simulator else RetryPolicy.HARDWARE,
            retry_safe=parent.job.retry_safe, priority=parent.job.priority, submitted_at=tx.at,
            account=parent.job.account, checked=False, estimate_s=min(choice.cost.duration_s, bound), upper_s=bound,
            family=parent.job.family,
        )  # fmt: skip
        name = f"{parent.name} fragment {fragment.index}".strip()
        record = JobRecord(
            job=job, labels={**parent.labels, "name": name}, origin=parent.origin, format=program.format,
            program_sha256=program.sha256, num_circuits=fragment.num_circuits, shots=fragment.shots,
            submitted_at=tx.at,
        )  # fmt: skip
        hold = hold_for(job, 1, tx.at)
        set_aside(tx, hold, self._context.config.default_allowance_s)
        jobs.add_program(tx.connection, program.sha256, program.packed, tx.at)
        seq = jobs.add(tx.connection, record, program.options)
        record = replace(record, job=job.with_(seq=seq))
        write_event(tx, JobSubmitted, record, [hold])
        tx.tell(Stored(record))
        return record


def place_problem(tx: Tx, links: Links, qpu: str, job_id: str, *, wanted: bool = False) -> Conflict | None:
    """Why a plan's job can have no place on a QPU, where other plans hold all of them, or, ``wanted``, ask for them."""
    taken, until = reservations.taken(tx.connection, qpu, job_id, wanted=wanted)
    if until is not None:
        booking, _ = calendar(tx.connection, qpu, tx.at)
        until = until if booking is None else max(until, booking.end_at)
    try:
        require_place(qpu, links.places(qpu), taken, until)
    except Conflict as error:
        return error
    return None


def deadline(at: datetime, deadline_s: float | None) -> datetime | None:
    """When all of a plan has to be done."""
    return None if deadline_s is None else times.after(at, deadline_s)

"""Rows of reservations, the fragments' places on QPUs, and of the jobs that run plans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from qpi_jupyter.core import FINAL, JobState
from qpi_jupyter.core.families import FragmentState
from qpi_jupyter.core.plans import ReservationState
from qpi_jupyter.core.reservations import ENDED, HELD, Reservation

from .prepared import Prepared, written
from .rows import each, first, readable, whole
from .schema import jobs, plan_jobs, reservations

_HELD, _OPEN = written(HELD), written(frozenset(ReservationState) - ENDED)
_ADD = Prepared(insert(reservations))
_SAVE = Prepared(
    update(reservations).where(reservations.c.id == bindparam("this"), reservations.c.state == bindparam("was"))
)
_OF_JOB = Prepared(
    select(reservations)
    .where(reservations.c.job_id == bindparam("job"))
    .order_by(reservations.c.fragment, reservations.c.created_at, reservations.c.id)
)
_OF_FRAGMENT = Prepared(
    select(reservations)
    .where(reservations.c.job_id == bindparam("job"), reservations.c.fragment == bindparam("number"))
    .order_by(reservations.c.created_at, reservations.c.id)
)
_OF_CHILD = Prepared(
    select(reservations)
    .where(
        # By the key, which begins with the child's id: that of a plan has many rows.
        reservations.c.id.between(bindparam("first"), bindparam("last")),
        reservations.c.child_id == bindparam("child"),
    )
    .order_by(reservations.c.id)
)
_HELD_ON = Prepared(select(reservations).where(reservations.c.qpu == bindparam("on"), reservations.c.state.in_(_HELD)))
_COUNT_AND_END: list[Any] = [func.count(), func.min(reservations.c.expires_at)]  # Any: SQLAlchemy's own types
_TAKEN, _WANTED = (
    Prepared(
        select(*_COUNT_AND_END).where(
            reservations.c.qpu == bindparam("on"),
            reservations.c.state.in_(states),
            reservations.c.job_id != bindparam("job"),
        )
    )
    for states in (_HELD, _OPEN)
)
_FRAGMENTS = (
    select(reservations.c.job_id, reservations.c.fragment, jobs.c.qpu, jobs.c.state)
    .join(jobs, jobs.c.id == reservations.c.child_id)
    .where(reservations.c.job_id.in_(bindparam("ids", expanding=True)))
    .order_by(reservations.c.fragment, reservations.c.created_at, reservations.c.id)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanJobRow:
    """A job that runs a plan; ``request`` is what the plan was, or is to be, made for (JSON)."""

    job_id: str
    owner: str
    request: dict[str, Any]
    plan_id: str | None = None
    deadline_at: datetime | None = None


def _reservation(row: Row[Any]) -> Reservation:
    readable(row)
    return Reservation(**{**row._asdict(), "state": ReservationState(row.state)})


def add(connection: Connection, new: Reservation) -> None:
    """Write a new reservation."""
    values = {field.name: getattr(new, field.name) for field in fields(new)}  # asdict copies every value
    _ADD.run(connection, **{**values, "state": new.state.value})


def save(connection: Connection, before: Reservation, after: Reservation) -> bool:
    """Write what changed; False where somebody else has changed its state meanwhile, and nothing is written."""
    changed = _SAVE.run(
        connection, this=after.id, was=before.state.value, state=after.state.value, esp=after.esp,
        duration_s=after.duration_s, shot_s=after.shot_s, digest=after.digest, calibration_id=after.calibration_id,
        reason=after.reason, expires_at=after.expires_at, changed_at=after.changed_at,
    )  # fmt: skip
    return changed == 1


def prolong(connection: Connection, place: Reservation, until: datetime) -> None:
    """A committed place is kept longer."""
    save(connection, place, replace(place, expires_at=until))


def of_job(connection: Connection, job_id: str) -> list[Reservation]:
    """All that a plan's job has, or had: by fragment, oldest first."""
    return list(each(_OF_JOB.each(connection, job=job_id), _reservation))


def of_child(connection: Connection, child_id: str) -> list[Reservation]:
    """Those of one fragment's job, oldest first."""
    rows = _OF_CHILD.each(connection, first=f"{child_id}.00", last=f"{child_id}.99", child=child_id)
    return list(each(rows, _reservation))


def of_fragment(connection: Connection, job_id: str, fragment: int) -> list[Reservation]:
    """Those of all jobs of one fragment, oldest first."""
    return list(each(_OF_FRAGMENT.each(connection, job=job_id, number=fragment), _reservation))


def fragments(connection: Connection, ids: Collection[str]) -> dict[str, list[FragmentState]]:
    """How the fragments of these plans' jobs are, in their order, each by its latest job."""
    found: defaultdict[str, dict[int, FragmentState]] = defaultdict(dict)
    for row in connection.execute(_FRAGMENTS, {"ids": list(ids)}) if ids else ():
        found[row.job_id][row.fragment] = FragmentState(row.qpu, JobState(row.state))
    return {job_id: list(by_index.values()) for job_id, by_index in found.items()}


def observe(connection: Connection, place: Reservation, esp: float) -> None:
    """Write how good the calibration was that a result was measured with."""
    connection.execute(update(reservations).where(reservations.c.id == place.id).values(observed_esp=esp))


def taken(
    connection: Connection, qpu: str, job_id: str, *, wanted: bool = False
) -> tuple[int, datetime | None]:  # fmt: skip
    """How many places of a QPU other plans than this job's hold, and when the first of them ends by itself.

    ``wanted``: those that they have asked for count, too.
    """
    row = (_WANTED if wanted else _TAKEN).first(connection, on=qpu, job=job_id)
    return int(row[0]), row[1]


def held_on(connection: Connection, qpu: str) -> list[Reservation]:
    """The prepared and committed ones on a QPU."""
    return list(each(_HELD_ON.each(connection, on=qpu), _reservation))


# --- the jobs that run plans


def add_job(connection: Connection, row: PlanJobRow) -> None:
    """Write that a job runs a plan."""
    connection.execute(insert(plan_jobs).values(**asdict(row)))


def set_plan(connection: Connection, job_id: str, plan_id: str) -> None:
    """Write which plan a job runs."""
    connection.execute(update(plan_jobs).where(plan_jobs.c.job_id == job_id).values(plan_id=plan_id))


def plan_job(connection: Connection, job_id: str) -> PlanJobRow | None:
    """The plan's side of a job; None for one that runs no plan."""
    return first(connection, select(plan_jobs).where(plan_jobs.c.job_id == job_id), whole(PlanJobRow))


def unfinished(connection: Connection) -> list[str]:
    """The jobs that run plans and have not ended, oldest first."""
    query = (
        select(plan_jobs.c.job_id)
        .join(jobs, jobs.c.id == plan_jobs.c.job_id)
        .where(jobs.c.state.not_in([state.value for state in FINAL]))
        .order_by(jobs.c.seq)
    )
    return list(connection.execute(query).scalars())


def running(connection: Connection, owner: str, plan_id: str) -> str | None:
    """The job of a person that runs this plan and has not ended."""
    query = (
        select(plan_jobs.c.job_id)
        .join(jobs, jobs.c.id == plan_jobs.c.job_id)
        .where(
            plan_jobs.c.plan_id == plan_id, plan_jobs.c.owner == owner,
            jobs.c.state.not_in([state.value for state in FINAL]),
        )
        .limit(1)
    )  # fmt: skip
    found: str | None = connection.execute(query).scalar()
    return found

"""What becomes of a plan's fragment in the transaction in which its job ends: its place, and its next one.

A fragment whose QPU fails it goes to the next of its choices, while there is one: its job keeps its id and waits until
its place there is committed, and whoever had it is not believed any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import (
    EffectKind,
    Event,
    EventKind,
    Faulted,
    Job,
    JobState,
    QpiError,
    RetryPolicy,
    Step,
    advance,
    times,
)
from qpi_jupyter.core.plans import MAX_ATTEMPTS, Choice
from qpi_jupyter.core.reservations import (
    DRIVER_LOST,
    TTL_S,
    Reservation,
    ReservationEvent,
    advance_reservation,
    next_choice,
)
from qpi_jupyter.core.reservations import ReservationEventKind as Kind
from qpi_jupyter.wire.events import ReservationChanged, ReservationData
from qpi_server.service.base import Tx
from qpi_server.store import JobRecord, bench, plans, reservations

_HAS_PLACE = (JobState.QUEUED, JobState.ASSIGNED, JobState.RUNNING)
"""The states in which a fragment has a committed place; blocked, it has one that is not."""

_MOMENT_S = 1e-6


class PlaceWanted(NamedTuple):
    """A plan's job has fragments that need a place."""

    job_id: str


def fragment_step(tx: Tx, before: JobRecord, step: Step) -> Step:
    """What is done with a job of a family in place of ``step``, where it is a plan's fragment and leaves its place.

    Its reservation says how that ended, in the same transaction.
    """
    blocked = before.job.state is JobState.BLOCKED
    if before.parent is None or not step.changed or not (blocked or before.job.state in _HAS_PLACE):
        return step
    why = None if blocked else _why(before.job, step)
    if why is None and not (step.job.state.final or step.job.state is JobState.CANCELLING):
        return step
    own = reservations.of_child(tx.connection, before.id)
    if not own:
        return step
    if step.job.state is JobState.COMPLETED:
        end(tx, own[-1], Kind.EXECUTED, owner=before.job.owner)
        return step
    if why is None:
        end(tx, own[-1], Kind.CANCELED, owner=before.job.owner, reason="The job has ended.")
        return step
    return _failed(tx, before, step, own, why)


def _why(job: Job, step: Step) -> QpiError | None:
    """What went wrong on the QPU, where the fragment may do better on another one."""
    if step.job.state is JobState.FAILED:
        return QpiError.from_dict(step.job.error or {})
    lost = step.job.lost and not job.lost
    gone = any(e.kind is EffectKind.END_ATTEMPT and e.data.get("code") == DRIVER_LOST for e in step.effects)
    if lost or (gone and step.job.state is JobState.QUEUED):
        return Faulted("The driver went away while it held the job.", code=DRIVER_LOST)
    return None


def _failed(tx: Tx, before: JobRecord, step: Step, own: Sequence[Reservation], why: QpiError) -> Step:
    choice = None
    if len(own) + before.job.tries < MAX_ATTEMPTS:
        places = reservations.of_fragment(tx.connection, own[-1].job_id, own[-1].fragment)
        choice = next_choice(choices_of(tx.connection, own[-1]), {one.qpu for one in places})
    if choice is None and step.job.state is not JobState.FAILED:
        return step  # it is tried again where it is
    kind = Kind.EXPIRED if why.code == DRIVER_LOST else Kind.CANCELED
    end(tx, own[-1], kind, owner=before.job.owner, reason=why.message)
    if choice is None:
        return replace(step, job=step.job.with_(error=all_used(tx.connection, own[-1], why).to_dict()))
    busy_s = sum(float(e.data["busy_s"]) for e in step.effects if e.kind is EffectKind.SETTLE)
    event = moved_to(tx.connection, choice.qpu, tx.at, busy_s)
    request(tx, own[-1], choice.qpu, owner=before.job.owner, number=len(own) + 1)
    return advance(before.job, event)


def moved_to(connection: Connection, qpu: str, at: datetime, busy_s: float = 0.0) -> Event:
    """The event of a job that goes to another QPU, which may have been deleted."""
    row = bench.qpu(connection, qpu)
    manifest = {} if row is None else row.manifest or {}
    retry = RetryPolicy.SIMULATOR if manifest.get("simulator") else RetryPolicy.HARDWARE
    return Event(kind=EventKind.MOVED, at=at, qpu=qpu, retry=retry, busy_s=busy_s)


def choices_of(connection: Connection, reservation: Reservation) -> Sequence[Choice]:
    """The QPUs that a reservation's fragment may be on, in their order."""
    row = reservations.plan_job(connection, reservation.job_id)
    if row is None or row.plan_id is None:
        return ()
    found = plans.choices(connection, row.owner, row.plan_id, reservation.fragment)
    return () if found is None else msgspec.convert(found, tuple[Choice, ...])


def request(tx: Tx, like: Reservation, qpu: str, *, owner: str, number: int) -> Reservation:
    """Ask for the ``number``-th place of the fragment of ``like``, the one before it; the commit has it prepared."""
    later = times.after(like.created_at, _MOMENT_S)  # whatever the clock does: they are read in this order
    new = Reservation(
        id=f"{like.child_id}.{number:02}", job_id=like.job_id, fragment=like.fragment, child_id=like.child_id, qpu=qpu,
        created_at=max(tx.at, later), changed_at=tx.at, expires_at=times.after(tx.at, TTL_S),
    )  # fmt: skip
    reservations.add(tx.connection, new)
    tell(tx, new, owner=owner)
    tx.tell(PlaceWanted(like.job_id))
    return new


def end(tx: Tx, before: Reservation, kind: Kind, *, owner: str, reason: str = "") -> Reservation:
    """Write how a reservation ends; one that has ended stays as it is."""
    return change(tx, before, ReservationEvent(kind=kind, at=tx.at, reason=reason), owner=owner)


def change(tx: Tx, before: Reservation, event: ReservationEvent, *, owner: str) -> Reservation:
    """Write what an event does to a reservation, and tell its plan's owner."""
    after = advance_reservation(before, event)
    if after is before or not reservations.save(tx.connection, before, after):
        return before
    tell(tx, after, owner=owner)
    return after


def tell(tx: Tx, reservation: Reservation, *, owner: str) -> None:
    """Write the event of a reservation, for the plan's owner."""
    data = ReservationData(
        id=reservation.id, state=reservation.state, fragment=reservation.fragment, child_id=reservation.child_id,
        reason=reservation.reason,
    )  # fmt: skip
    tx.event(ReservationChanged(at=tx.at, job_id=reservation.job_id, qpu=reservation.qpu, data=data), owner=owner)


def all_used(connection: Connection, last: Reservation, why: QpiError) -> QpiError:
    """Why a fragment cannot run anywhere: what went wrong on each of its QPUs, the last of them for ``why``."""
    earlier = reservations.of_child(connection, last.child_id)
    told = [{"qpu": one.qpu, "message": one.reason} for one in earlier if one.reason and one.id != last.id]
    told.append({"qpu": last.qpu, "message": why.message})
    chain = " ".join(f"{one['qpu']}: {one['message']}" for one in told)
    return Faulted(
        f"Fragment {last.fragment} of the plan ran on none of its QPUs. {chain}",
        code="fragment_failed", fragment=last.fragment, errors=told, cause=why.code,
    )  # fmt: skip

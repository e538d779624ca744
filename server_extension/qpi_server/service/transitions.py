"""Carries a step of the lifecycle out: row, attempt, ledger, counters and event, in the caller's transaction.

No use case changes a job's state by itself: it asks `core.lifecycle` what an event does and hands the step here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from qpi_jupyter.core import accounting
from qpi_jupyter.core.accounting import Entry, EntryKind
from qpi_jupyter.core.jobs import Job, JobState
from qpi_jupyter.core.lifecycle import Effect, EffectKind, Step
from qpi_jupyter.wire.events import EventName
from qpi_server.store import attempts, facts, jobs
from qpi_server.store.facts import EventRow
from qpi_server.store.jobs import JobRecord

from .measure import measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a transaction did to a job, and what is left to say once it is on disk."""

    before: JobRecord
    after: JobRecord
    accepted: bool
    changed: bool
    aborts: tuple[int, ...] = ()
    """Attempts that a driver should stop."""
    driver: str | None = None
    """Whose they are."""

    @property
    def queued(self) -> bool:
        """Whether there is now a job that a parked claim may find."""
        return self.changed and self.after.job.state is JobState.QUEUED

    @property
    def freed(self) -> bool:
        """Whether a driver now has room for one more."""
        return self.before.job.state in jobs.OPEN and self.after.job.state not in jobs.OPEN


def carry_out(
    connection: Connection,
    before: JobRecord,
    step: Step,
    at: datetime,
    *,
    epoch: int | None = None,
    floor: int = 0,
    sender: str | None = None,
) -> Change:
    """Write what ``step`` says.

    Parameters
    ----------
    epoch
        the driver's, where an attempt begins.
    floor
        the version that readers have seen in memory: the new one is higher.
    sender
        the driver that spoke, where one did: aborts go to it, not to the driver that the job is with.
    """
    after = before
    if step.changed:
        after = _record(before, step, at, floor)
        jobs.save(connection, before, after)
        measure(connection, before, after, at)
    lines: list[Entry] = []
    for effect in step.effects:
        lines += _interpret(connection, effect, before, after, at, epoch)
    if step.changed:
        facts.add_event(connection, changed_event(after, at, lines=lines))
    aborts = tuple(e.attempt for e in step.effects if e.kind is EffectKind.ABORT)
    return Change(
        before=before,
        after=after,
        accepted=step.accepted,
        changed=step.changed,
        aborts=aborts,
        driver=sender or before.job.driver,
    )


def changed_event(
    record: JobRecord, at: datetime, kind: EventName = EventName.JOB_CHANGED, *, lines: Sequence[Entry] = ()
) -> EventRow:
    """The event of a job: what a list row shows, who has it, and what it cost or gave back."""
    job = record.job
    data: dict[str, Any] = {
        "status": job.state.status,
        "phase": job.phase,
        "attempt": job.attempt,
        "version": record.version,
        "checked": job.checked,
        "progress": record.progress,
        "name": record.name,
        "owner": job.owner,
    }
    if job.driver is not None:
        data["driver"] = job.driver
    if lines:
        data["ledger"] = [{"kind": e.kind.value, "amount_s": e.amount_s, "account": e.account} for e in lines]
    if job.error is not None:
        data["error"] = job.error
    return EventRow(kind=kind, at=at, owner=job.owner, job_id=job.id, qpu=job.qpu, data=data)


def hold_for(job: Job, attempt: int, at: datetime) -> Entry:
    """The entry that sets an attempt's estimate aside."""
    return _entry(EntryKind.HOLD, job, attempt, -job.estimate_s, at)


def _entry(kind: EntryKind, job: Job, attempt: int, amount_s: float, at: datetime) -> Entry:
    return Entry(
        kind=kind,
        account=job.payer,
        amount_s=amount_s,
        at=at,
        qpu=job.qpu,
        job_id=job.id,
        attempt=attempt,
        person=job.owner,
    )


def _record(before: JobRecord, step: Step, at: datetime, floor: int) -> JobRecord:
    job = step.job
    started_at, progress, busy_s = before.started_at, before.progress, before.busy_s
    for effect in step.effects:
        if effect.kind is EffectKind.SETTLE:
            busy_s = float(effect.data["busy_s"])
    if job.state in (JobState.QUEUED, JobState.ASSIGNED):
        started_at, progress = None, 0.0
    elif job.started and started_at is None:
        started_at = at
    if job.state is JobState.COMPLETED:
        progress = 1.0
    return replace(
        before,
        job=job,
        version=max(before.version, floor) + 1,
        started_at=started_at,
        ended_at=at if job.state.final else None,
        busy_s=busy_s,
        progress=progress,
    )


def _interpret(
    connection: Connection, effect: Effect, before: JobRecord, after: JobRecord, at: datetime, epoch: int | None
) -> list[Entry]:
    """Do the part of ``effect`` that belongs into the transaction; aborts and wake-ups come after it.

    Returns what it wrote into the ledger.
    """
    job = before.job
    match effect.kind:
        case EffectKind.BEGIN_ATTEMPT:
            if after.job.attempt > job.attempt:
                attempts.begin(connection, after.job, epoch=epoch, at=at)
            else:
                attempts.reopen(connection, after.job)
        case EffectKind.END_ATTEMPT:
            attempts.end(
                connection,
                job.id,
                effect.attempt,
                outcome=effect.data["outcome"],
                at=at,
                started_at=before.started_at,
                busy_s=after.busy_s,
            )
        case EffectKind.HOLD:
            entry = hold_for(after.job, effect.attempt, at)
            if accounting.hold(facts.entries(connection, job.id), like=entry) is not None:
                # Unlike at submit, nobody asks whether the account can bear it: the repeat is the lab's fault.
                facts.add_entry(connection, entry)
                return [entry]
        case EffectKind.SETTLE:
            entries = facts.entries(connection, job.id)
            amount = accounting.settle(entries, attempt=effect.attempt, busy_s=float(effect.data["busy_s"]))
            return _close(connection, EntryKind.SETTLE, job, effect.attempt, amount, entries, at)
        case EffectKind.REFUND:
            entries = facts.entries(connection, job.id)
            amount = accounting.refund(entries, attempt=effect.attempt)
            return _close(connection, EntryKind.REFUND, job, effect.attempt, amount, entries, at)
        case EffectKind.ABORT | EffectKind.WAKE:
            pass
    return []


def _close(
    connection: Connection,
    kind: EntryKind,
    job: Job,
    attempt: int,
    amount: float | None,
    entries: Sequence[Entry],
    at: datetime,
) -> list[Entry]:
    if amount is None:
        return []
    entry = _entry(kind, job, attempt, amount, at)
    facts.add_entry(connection, entry, released_s=accounting.held(entries, attempt))
    return [entry]

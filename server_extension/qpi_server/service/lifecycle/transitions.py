"""Carries a step of the lifecycle out: row, attempt, ledger, counters and event, in the caller's transaction.

No use case changes a job's state by itself: it asks `core.lifecycle` what an event does and hands the step here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Effect,
    EffectKind,
    Entry,
    EntryKind,
    Job,
    JobState,
    QpiError,
    Step,
    accounting,
    advance,
    families,
    fold_correction,
    fold_error,
    times,
)
from qpi_jupyter.wire.events import JobChanged, JobChecked, JobProgress, JobSubmitted, LedgerLine
from qpi_jupyter.wire.jobs import JobData
from qpi_jupyter.wire.rest import JobError
from qpi_server.service.base import Tx
from qpi_server.store import JobRecord, attempts, facts, jobs, usage
from qpi_server.store import families as rows

from .fragments import fragment_step
from .result_checks import charged_s


class Queued(NamedTuple):
    """There is one more job that may go."""

    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a transaction did to a job: told after its commit."""

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


Seen = Callable[[str], int]
"""The version of a job that readers have seen in memory; 0 if only its row counts."""


def carry_out(
    tx: Tx,
    before: JobRecord,
    step: Step,
    *,
    epoch: int | None = None,
    seen: Seen = lambda job_id: 0,
    sender: str | None = None,
) -> Change:
    """Write what ``step`` says, and what that means for the rest of the job's family; the commit tells it.

    Parameters
    ----------
    epoch
        the driver's, where an attempt begins.
    sender
        the driver that spoke, where one did: aborts go to it, not to the driver that the job is with.
    """
    change = _write(tx, before, step, seen, epoch, sender)
    if change.changed and before.job.family is not None:
        _spread(tx, change.after.job, seen)
    return change


def _spread(tx: Tx, job: Job, seen: Seen) -> None:
    """Write what a job's change means for those that wait for it and for its children."""
    others: dict[str, JobRecord] = {}

    def found(records: Iterable[JobRecord]) -> list[Job]:
        others.update({record.id: record for record in records})
        return [record.job for record in records]

    families.spread(
        job,
        tx.at,
        waiting=lambda cause: found(rows.waiting(tx.connection, cause.id)),
        children=lambda cause: found(rows.open_children(tx.connection, cause.id)),
        advance=lambda other, event: _write(tx, others[other.id], advance(other, event), seen).after.job,
    )


def _write(
    tx: Tx, before: JobRecord, step: Step, seen: Seen, epoch: int | None = None, sender: str | None = None
) -> Change:
    after, connection, at = before, tx.connection, tx.at
    step = _charged(connection, fragment_step(tx, before, step), at)
    if step.changed:
        after = _record(before, step, at, seen(before.id))
        jobs.save(connection, before, after)
        _measure(connection, before, after, at)
    lines: list[Entry] = []
    for effect in step.effects:
        lines += _interpret(connection, effect, before, after, at, epoch)
    if step.changed:
        write_event(tx, JobChanged, after, lines)
    change = Change(
        before=before,
        after=after,
        accepted=step.accepted,
        changed=step.changed,
        aborts=tuple(e.attempt for e in step.effects if e.kind is EffectKind.ABORT),
        driver=sender or before.job.driver,
    )
    if change.changed or change.aborts:
        tx.tell(change)
    return change


def _charged(connection: Connection, step: Step, at: datetime) -> Step:
    """The step with the busy time that counts: this is where every charge of an attempt passes."""
    effects = tuple(
        replace(e, data={**e.data, "busy_s": charged_s(connection, step.job.id, e.attempt, e.data["busy_s"], at)})
        if e.kind is EffectKind.SETTLE
        else e
        for e in step.effects
    )
    return replace(step, effects=effects)


def write_event(
    tx: Tx,
    kind: type[JobSubmitted | JobChecked | JobChanged | JobProgress],
    record: JobRecord,
    lines: Sequence[Entry] = (),
    *,
    rows: int = 0,
) -> None:
    """The event of a job, for its owner."""
    job, data = record.job, job_data(record, lines)
    data.rows = rows or UNSET
    tx.event(kind(at=tx.at, job_id=job.id, qpu=job.qpu, data=data), owner=job.owner)


def job_data(record: JobRecord, lines: Sequence[Entry] = ()) -> JobData:
    """What the events of a job say: what a list row shows, who has it, and what it cost or gave back."""
    job = record.job
    return JobData(
        status=job.state.status,  # type: ignore[arg-type]  # one of the Literal's words
        phase=job.phase,  # type: ignore[arg-type]
        attempt=job.attempt,
        version=record.version,
        checked=job.checked,
        progress=record.progress,
        name=record.name,
        owner=job.owner,
        driver=job.driver or UNSET,
        ledger=[LedgerLine(kind=e.kind.value, amount_s=e.amount_s, account=e.account) for e in lines] or UNSET,
        error=UNSET if job.error is None else job_error(job.error),
        family=job.family or UNSET,
        waits_for=job.waits_for or UNSET,
    )


def job_error(stored: Mapping[str, Any]) -> JobError:
    """Why a job failed, as it is told."""
    return msgspec.convert(QpiError.from_dict(stored).to_dict(), JobError)


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
    elif job.state.final and started_at is None and busy_s:  # a short run says nothing before its end
        started_at = max(before.submitted_at, times.after(at, -busy_s))
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
                started_at=after.started_at or before.started_at,
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


def _measure(connection: Connection, before: JobRecord, after: JobRecord, at: datetime) -> None:
    """Fold what the step from ``before`` to ``after`` measured into the averages, in the same transaction."""
    job = after.job
    error_s = raw_s = None
    if before.started_at is None and after.started_at is not None and job.attempt == 1 and after.eta_at is not None:
        error_s = (after.started_at - after.eta_at).total_seconds()
    if job.state.final and not before.job.state.final and after.busy_s:
        usage.add(connection, job.qpu, job.owner, at, after.busy_s)
        raw_s = after.raw_estimate_s if job.state is JobState.COMPLETED else None
    if error_s is None and not raw_s:
        return
    known = usage.learnt(connection, job.qpu)
    if error_s is not None:
        error_s = fold_error(known.eta_error_s, known.eta_n, error_s)
        known = replace(known, eta_error_s=error_s, eta_n=known.eta_n + 1)
    if raw_s:
        correction = fold_correction(known.correction, known.correction_n, raw_s=raw_s, busy_s=after.busy_s or 0.0)
        known = replace(known, correction=correction, correction_n=known.correction_n + 1)
    usage.learn(connection, job.qpu, known)

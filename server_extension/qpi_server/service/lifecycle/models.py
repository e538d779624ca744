"""Rows as the wire's models."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Literal

from qpi_jupyter.core import JobState, Outlook, Prospect, Reason, Rejected, format_outcome
from qpi_jupyter.core.families import FragmentState
from qpi_jupyter.wire.events import LabEvent, read_event
from qpi_jupyter.wire.jobs import DatasetInfo, Eta, JobModel, WaitReason
from qpi_jupyter.wire.results import CircuitResult, ResultHeader, read_header
from qpi_server.store import EventRow, JobRecord, ResultRow

from .lifecycle import ProgressBook
from .transitions import job_error

log = logging.getLogger(__name__)
SMALL_COUNTS, SMALL_BYTES = 4096, 1 << 20
"""Counts with at most this many entries, and bytes of keys, together travel with their job."""


def is_small(header: ResultHeader) -> bool:
    """Whether all counts are here and few enough to travel with the job."""
    whole = all(c.counts is not None and not c.truncated for c in header.circuits)
    entries = sum(len(c.counts or ()) for c in header.circuits)
    return whole and entries <= SMALL_COUNTS and sum(map(_keyed_bytes, header.circuits)) <= SMALL_BYTES


def _keyed_bytes(circuit: CircuitResult) -> int:
    return len(circuit.counts or ()) * (circuit.memory_slots + len(circuit.creg_sizes))


def keyed_counts(circuit: CircuitResult) -> dict[str, int]:
    """The counts with Qiskit's keys, which a reader without the registers' sizes could not make."""
    return {
        format_outcome(int(key, 16), circuit.creg_sizes, circuit.memory_slots): count
        for key, count in (circuit.counts or {}).items()
    }


def job_model(
    record: JobRecord,
    progress: ProgressBook,
    prospect: Prospect,
    *,
    dataset: tuple[str, int] | None = None,
    result: ResultRow | None = None,
    fragments: Sequence[FragmentState] = (),
) -> JobModel:
    """A job as its owner sees it; with its counts where ``result`` is given and they are few. ``fragments`` are those
    of its plan."""
    job = record.job
    stored = dataset if result is None else (result.blob_sha256, result.blob_bytes)
    return JobModel(
        id=job.id,
        version=max(record.version, progress.version(job.id)),
        owner=job.owner,
        status=job.state.status,  # type: ignore[arg-type]  # one of the Literal's words
        phase=job.phase,  # type: ignore[arg-type]
        qpu=job.qpu,
        **record.labels,
        priority=job.priority,
        attempt=job.attempt,
        checked=job.checked,
        progress=progress.fraction(record),
        rows=progress.rows(record),
        format=record.format,
        num_circuits=record.num_circuits,
        shots=record.shots,
        submitted_at=record.submitted_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        estimate_s=job.estimate_s if job.checked else None,
        upper_s=job.upper_s if job.checked else None,
        busy_s=record.busy_s,
        reason=None if prospect.reason is None else _reason(prospect.reason),
        eta=_eta(job.state, prospect.outlook),
        error=None if job.error is None else job_error(job.error),
        dataset=None if stored is None else DatasetInfo(sha256=stored[0], bytes=stored[1]),
        origin=record.origin,
        account=record.job.payer,
        retry_safe=job.retry_safe,
        family=job.family,
        parent=record.parent,
        qpus=list(dict.fromkeys(one.qpu for one in fragments)),
        calibration=record.calibration,
        calibration_id=record.calibration_id,
        counts=None if result is None else _small_counts(result),
    )


def _small_counts(result: ResultRow) -> list[dict[str, int]] | None:
    """The counts that travel with their job; None for a result that was stored when more was believed."""
    if not result.small:
        return None
    try:
        header = read_header(result.header)
    except Rejected as error:
        log.warning("job %s: its stored result cannot be read: %s", result.job_id, error.message)
        return None
    return [keyed_counts(circuit) for circuit in header.circuits] if is_small(header) else None


def _reason(reason: Reason) -> WaitReason:
    return WaitReason(
        rule=reason.rule.value,
        message=reason.message,
        position=reason.position,
        since_at=reason.since,
        until_at=reason.until,
    )


def _eta(state: JobState, outlook: Outlook | None) -> Eta | None:
    if state.final or state is JobState.BLOCKED:
        return None
    of: Literal["start", "end"] = "start" if state.status == "pending" else "end"
    if outlook is None:
        return Eta(of=of, known=False)
    return Eta(
        of=of, known=True, earliest_at=outlook.earliest, likely_at=outlook.likely, latest_at=outlook.latest,
        error_s=outlook.error_s,
    )  # fmt: skip


def event_models(rows: list[EventRow], previous: int) -> list[LabEvent]:
    """Events in order, each with the reader's one before it."""
    models = []
    for row in rows:
        envelope = {"seq": row.seq, "prev": previous, "at": row.at, "job_id": row.job_id, "qpu": row.qpu}
        models.append(read_event({**envelope, "kind": row.kind, "data": row.data}))
        previous = row.seq
    return models

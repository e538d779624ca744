"""Rows as the wire's models."""

from __future__ import annotations

from typing import Any

import msgspec

from qpi_jupyter.core.planner import Reason
from qpi_jupyter.core.programs import ProgramFormat
from qpi_jupyter.core.results import format_outcome, header_circuits
from qpi_jupyter.wire.rest import DatasetInfo, EventModel, JobError, JobModel, WaitReason
from qpi_server.store.facts import EventRow, ResultRow
from qpi_server.store.jobs import JobRecord

from .progress import ProgressBook

SMALL_COUNTS = 4096
"""Counts with at most this many entries together travel with their job."""


class Circuit(msgspec.Struct):
    """What the lab itself reads of a circuit's entry in a result header."""

    name: str
    shots: int
    meas_level: int
    meas_return: str
    creg_sizes: list[tuple[str, int]]
    qreg_sizes: list[tuple[str, int]]
    memory_slots: int
    n_qubits: int
    truncated: bool
    counts: dict[str, int] | None
    seed: int | None = None
    metadata: dict[str, Any] | None = None


class Provenance(msgspec.Struct):
    busy_s: float = 0.0


class Header(msgspec.Struct):
    """A result header, as far as the lab relies on it; see `core.results`."""

    success: bool
    circuits: list[Circuit]
    provenance: Provenance | None = None

    @property
    def small(self) -> bool:
        """Whether all counts are here and few enough to travel with the job."""
        whole = all(c.counts is not None and not c.truncated for c in self.circuits)
        return whole and sum(len(c.counts or ()) for c in self.circuits) <= SMALL_COUNTS


def keyed_counts(circuit: Circuit) -> dict[str, int]:
    """The counts with Qiskit's keys, which a reader without the registers' sizes could not make."""
    return {
        format_outcome(int(key, 16), circuit.creg_sizes, circuit.memory_slots): count
        for key, count in (circuit.counts or {}).items()
    }


class _Document(msgspec.Struct):
    """A header as it is sent: what all circuits share stands once, in ``common``."""

    success: bool
    circuits: list[dict[str, Any]]  # Any: a field of any type, which `Circuit` checks
    common: dict[str, Any] = {}
    provenance: Provenance | None = None


_decode = msgspec.json.Decoder(_Document).decode


def decode_header(raw: bytes | str) -> Header:
    """The header with every circuit's fields in place.

    Raises
    ------
    msgspec.MsgspecError
        it is not a result's header.
    """
    document = _decode(raw)
    circuits = header_circuits({"circuits": document.circuits, "common": document.common})
    return Header(
        success=document.success,
        circuits=msgspec.convert(circuits, list[Circuit]),
        provenance=document.provenance,
    )


def job_model(
    record: JobRecord,
    progress: ProgressBook,
    *,
    reason: Reason | None = None,
    dataset: tuple[str, int] | None = None,
    result: ResultRow | None = None,
) -> JobModel:
    """A job as its owner sees it; with its counts where ``result`` is given and they are few."""
    job = record.job
    stored = dataset if result is None else (result.blob_sha256, result.blob_bytes)
    return JobModel(
        id=job.id,
        version=max(record.version, progress.version(job.id)),
        owner=job.owner,
        status=job.state.status,  # type: ignore[arg-type]  # one of the Literal's words
        phase=job.phase,  # type: ignore[arg-type]
        qpu=job.qpu,
        name=record.name,
        tags=list(job.tags),
        priority=job.priority,
        attempt=job.attempt,
        checked=job.checked,
        progress=progress.fraction(record),
        format=ProgramFormat(record.format),
        num_circuits=record.num_circuits,
        shots=record.shots,
        submitted_at=record.submitted_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        estimate_s=job.estimate_s if job.checked else None,
        upper_s=job.upper_s if job.checked else None,
        busy_s=record.busy_s,
        reason=None if reason is None else _reason(reason),
        error=None if job.error is None else msgspec.convert(job.error, JobError),
        dataset=None if stored is None else DatasetInfo(sha256=stored[0], bytes=stored[1]),
        origin=record.origin,
        project=record.project,
        account=record.job.payer,
        shared_with=record.shared_with,
        retry_safe=job.retry_safe,
        counts=None if result is None else _small_counts(result),
    )


def _small_counts(result: ResultRow) -> list[dict[str, int]] | None:
    if not result.small:
        return None
    return [keyed_counts(circuit) for circuit in decode_header(result.header).circuits]


def _reason(reason: Reason) -> WaitReason:
    return WaitReason(
        rule=reason.rule.value,
        message=reason.message,
        position=reason.position,
        since_at=reason.since,
        about_at=reason.about,
        error_s=reason.error_s,
    )


def event_models(rows: list[EventRow], previous: int) -> list[EventModel]:
    """Events in order, each with the reader's one before it."""
    models = []
    for row in rows:
        models.append(
            EventModel(
                seq=row.seq, prev=previous, at=row.at, kind=row.kind, job_id=row.job_id, qpu=row.qpu, data=row.data
            )
        )
        previous = row.seq
    return models

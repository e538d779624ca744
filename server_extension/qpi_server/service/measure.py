"""What a job's start and end teach: its QPU's estimates, its predicted start, and who used how much."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core.estimates import fold_correction, fold_error
from qpi_jupyter.core.jobs import JobState
from qpi_server.store import usage
from qpi_server.store.jobs import JobRecord


def measure(connection: Connection, before: JobRecord, after: JobRecord, at: datetime) -> None:
    """Fold what the step from ``before`` to ``after`` measured into the averages, in the same transaction."""
    job = after.job
    if before.started_at is None and after.started_at is not None and job.attempt == 1 and after.eta_at is not None:
        known = usage.learnt(connection, job.qpu)
        error_s = (after.started_at - after.eta_at).total_seconds()
        usage.set_error(connection, job.qpu, fold_error(known.eta_error_s, known.eta_n, error_s))
    if not job.state.final or before.job.state.final or not after.busy_s:
        return
    usage.add(connection, job.qpu, job.owner, at, after.busy_s)
    if job.state is JobState.COMPLETED and after.raw_estimate_s:
        known = usage.learnt(connection, job.qpu)
        correction = fold_correction(
            known.correction, known.correction_n, raw_s=after.raw_estimate_s, busy_s=after.busy_s
        )
        usage.set_correction(connection, job.qpu, correction)

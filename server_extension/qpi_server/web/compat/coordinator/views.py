"""What every view of a job says alike: its state, its error, its time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from qpi_jupyter.wire.jobs import JobModel

State = Literal["QUEUED", "COMPILING", "RESERVING", "EXECUTING", "COMPLETED", "FAILED"]
"""Of a coordinator's job: none goes back to an earlier one."""
_ENDS: dict[str, State] = {"completed": "COMPLETED", "failed": "FAILED", "cancelled": "FAILED"}


def begun(job: JobModel) -> bool:
    """Whether a QPU was ever given the job: what it was given it may lose, and the job waits again."""
    return job.attempt > 0


def state_of(job: JobModel, *, fragments: Sequence[JobModel] = (), planned: bool | None = None) -> State:
    """The state of a job: of one with a plan by its ``fragments``, of any other by itself.

    ``planned`` is None for a job that needs no plan.
    """
    if (end := _ENDS.get(job.status)) is not None:
        return end
    if any(map(begun, fragments or [job])):
        return "EXECUTING"
    if planned is None:
        return "QUEUED"
    return "RESERVING" if planned else "COMPILING"


def latest(job: JobModel) -> datetime:
    """When the job changed last, as far as it says."""
    return job.ended_at or job.started_at or job.submitted_at


def error_of(job: JobModel) -> str | None:
    """Why it failed; a cancelled job has failed, too."""
    return job.error.message if job.error is not None else "Cancelled" if job.status == "cancelled" else None

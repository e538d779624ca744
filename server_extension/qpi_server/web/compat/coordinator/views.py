"""What every view of a job says alike: its state, its error, its time."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from qpi_jupyter.wire.jobs import JobModel
from qpi_jupyter.wire.plans import FragmentRun, PlanRun

State = Literal["QUEUED", "COMPILING", "RESERVING", "EXECUTING", "COMPLETED", "FAILED"]
"""Of a coordinator's job: none goes back to an earlier one."""
ENDS: dict[str, State] = {"completed": "COMPLETED", "failed": "FAILED", "cancelled": "FAILED"}


def state_of(job: JobModel, run: PlanRun | None) -> State:
    """The state of a job, with the plan that it runs, if any.

    What a QPU was given it may lose, and the job waits again: it is executing nevertheless.
    """
    if (end := ENDS.get(job.status)) is not None:
        return end
    if run is None:
        return "EXECUTING" if job.attempt > 0 else "QUEUED"
    if run.plan is None:
        return "COMPILING"
    return "EXECUTING" if any(one.attempts for one in run.fragments) else "RESERVING"


def fragment_state(one: FragmentRun) -> State:
    """The state of a fragment."""
    return ENDS.get(one.status, "EXECUTING" if one.attempts else "RESERVING")


def latest(job: JobModel) -> datetime:
    """When the job changed last, as far as it says."""
    return job.ended_at or job.started_at or job.submitted_at


def error_of(job: JobModel) -> str | None:
    """Why it failed; a cancelled job has failed, too."""
    return job.error.message if job.error is not None else "Cancelled" if job.status == "cancelled" else None

"""What a job's output in a notebook holds as data: `JOB_OUTPUT` beside its text and HTML.

A kernel writes it, the panel's part of JupyterLab draws it and brings it up to date; whoever finds it in a file takes
it for what somebody wrote there.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from .jobs import Eta, WaitReason
from .rest import Answer, JobError, Phase, Status

JOB_OUTPUT = "application/vnd.qpi.job+json"
"""Its media type."""


class OutputJob(Answer):
    """The part of a job that its output shows, as it was when the output was written."""

    id: str
    version: int
    name: str
    status: Status
    phase: Phase
    qpu: str | None
    num_circuits: int
    shots: int
    progress: float
    submitted_at: datetime
    ended_at: datetime | None
    busy_s: float | None
    reason: WaitReason | None
    eta: Eta | None
    error: JobError | None
    qpus: list[str] = []


class JobOutput(Answer):
    """A job in a notebook: ``job`` as it was ``at`` that time, and what is drawn of its result.

    ``lab`` is the address that the kernel knew the lab by: it is shown, and never contacted.
    """

    v: Literal[1]
    job: OutputJob
    lab: str
    at: datetime
    drawings: list[dict[str, Any]]
    """The first ones (`qpi_jupyter/data/drawings.py`), of ``total``."""
    total: int
    source: str | None
    """The line of the program that the error names, where it is known."""

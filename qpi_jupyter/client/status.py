"""The status of a job: a word that can be compared, and called as Qiskit's jobs have it. And what people read."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qpi_jupyter.wire.jobs import JobModel

QISKIT = {
    "pending": "QUEUED",
    "running": "RUNNING",
    "completed": "DONE",
    "failed": "ERROR",
    "cancelled": "CANCELLED",
}
"""What Qiskit's ``JobStatus`` calls each."""
_JOBS = {
    "blocked": "Waiting for other jobs",
    "queued": "Waiting",
    "assigned": "Waiting",
    "running": "Running",
    "lost": "Lost contact",
    "cancelling": "Cancelling",
    "completed": "Completed",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
_QPUS = {
    "online": "Online",
    "offline": "Offline",
    "held": "On hold",
    "maintenance": "In maintenance",
    "disabled": "Disabled",
}


_BLOCKED = {"planning": "Planning", "place": "Waiting", "fragments": "Running"}
"""Of a job that is blocked for a plan, by the rule of its reason."""


def job_word(phase: str, rule: str = "") -> str:
    """How a job stands, in the words of a screen (the panel's are in labextension/src/rows.ts).

    ``rule`` is that of its reason: it tells a plan's job from others that are blocked.
    """
    known = _BLOCKED.get(rule) if phase == "blocked" else None
    return known or _JOBS.get(phase, phase.capitalize())


def word_of(model: JobModel) -> str:
    """`job_word` of a job."""
    return job_word(model.phase, "" if model.reason is None else model.reason.rule)


def qpus_of(model: JobModel) -> str:
    """The QPU of a job, or those of its plan's fragments; empty where that is not decided yet."""
    return ", ".join(model.qpus) or model.qpu or ""


def qpu_word(status: str) -> str:
    """How a QPU is, in the words of a screen (the panel's are in labextension/src/states.ts)."""
    return _QPUS.get(status, status.capitalize())


class Status(str):
    """``pending``, ``running``, ``completed``, ``failed`` or ``cancelled``.

    ``job.status == "completed"`` and ``job.status() == "completed"`` are the same. So that loops written for Qiskit's
    jobs end, it also equals Qiskit's ``JobStatus`` and the name of that: ``job.status() == JobStatus.DONE``,
    ``job.status() in JOB_FINAL_STATES``, ``job.status().name == "DONE"``. What is stored of it is a plain text.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """Qiskit's name of it."""
        return QISKIT.get(str(self), self.upper())

    def __call__(self) -> Status:
        return self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Enum):
            return bool(other.name == self.name)
        return str.__eq__(self, other) is True or other == QISKIT.get(str(self))

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)

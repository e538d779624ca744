"""Jobs and their attempts, as the rules see them: frozen values, no clock, no storage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

MAX_TRIES = 3
"""How often the bench may fail before a job is abandoned."""
SALVAGE_MIN_S = 3600.0
"""How long measured data of a driver that went silent is waited for, at least (seconds)."""


class JobState(StrEnum):
    BLOCKED = "blocked"
    """It waits for other jobs: no driver can have it."""
    QUEUED = "queued"
    ASSIGNED = "assigned"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing can change the job any more."""
        return self in FINAL

    @property
    def status(self) -> str:
        """The public word: pending, running, completed, failed or cancelled."""
        return _STATUS[self]


FINAL = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})
_STATUS = {
    JobState.BLOCKED: "pending",
    JobState.QUEUED: "pending",
    JobState.ASSIGNED: "pending",
    JobState.RUNNING: "running",
    JobState.CANCELLING: "running",
    JobState.COMPLETED: "completed",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


class RetryPolicy(StrEnum):
    """Which failures of the bench are tried again.

    A simulator repeats freely. An instrument does not repeat what it may already have measured, unless the
    submitter said that a repeat does no harm (``retry_safe``).
    """

    SIMULATOR = "simulator"
    HARDWARE = "hardware"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request to run a program on a QPU.

    ``attempt`` is the number of the latest assignment, 0 before the first; ``tries`` counts the attempts that the
    bench failed; ``lost_since`` is set while an instrument's driver is silent in the middle of a run; ``waits_for``
    counts the jobs that a blocked one needs and that have not completed.
    """

    id: str
    owner: str
    qpu: str
    state: JobState = JobState.QUEUED
    attempt: int = 0
    tries: int = 0
    started: bool = False
    lost_since: datetime | None = None
    retry: RetryPolicy = RetryPolicy.SIMULATOR
    retry_safe: bool = False
    priority: int = 0
    seq: int = 0
    checked: bool = True
    estimate_s: float = 0.0
    upper_s: float = 0.0
    driver: str | None = None
    """Who had its latest attempt; empty once it was moved to another QPU, for whoever had it there has it no more."""
    submitted_at: datetime | None = None
    error: dict[str, Any] | None = None
    account: str = ""
    """Who pays, where it is not the owner."""
    waits_for: int = 0
    family: str | None = None
    """What it shares with the jobs that it waits for and those that wait for it; None: it is alone."""

    @property
    def payer(self) -> str:
        """The account that is charged."""
        return self.account or self.owner

    @property
    def phase(self) -> str:
        """The finer word behind `status`: the state, or ``lost`` while its driver is silent."""
        return "lost" if self.lost_since is not None else self.state.value

    @property
    def lost(self) -> bool:
        return self.lost_since is not None

    @property
    def moved(self) -> bool:
        """Whether it went to another QPU, and nobody there has had it yet."""
        return self.driver == ""

    @property
    def salvage_s(self) -> float:
        """How long a lost run is waited for (seconds)."""
        return max(SALVAGE_MIN_S, 2 * self.upper_s)

    def with_(self, **changes: Any) -> Job:
        return replace(self, **changes)

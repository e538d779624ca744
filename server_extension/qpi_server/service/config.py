"""What a lab may be told: one frozen value, every figure with a default."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qpi_jupyter.core.planner import Policy
from qpi_server.providers import OAuth2Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class LabConfig:
    """Settings of a lab; durations in seconds, sizes in bytes."""

    lab_dir: Path
    lease_s: float = 20.0
    """How long a silent driver keeps its jobs."""
    heartbeat_s: float = 2.0
    reask_s: float = 15.0
    """How long a parked claim waits before it is answered with nothing: a safety net, not a poll."""
    check_budget_s: float = 0.5
    """How long a submit waits for its program to be checked."""
    check_timeout_s: float = 60.0
    """How long the check of a stored, unchecked job may take."""
    job_timeout_s: float = 600.0
    """How long one attempt may run, where its driver says nothing else."""
    unchecked_upper_s: float = 60.0
    """The bound that an unchecked job is planned with."""
    max_shots: int = 1_000_000
    result_limit_bytes: int = 16 << 30
    default_allowance_s: float | None = None
    """QPU time that each person's account begins with; None: nobody's time is limited."""
    retention_days: float = 0.0
    """How long a finished job is kept; 0: for ever."""
    events_retention_days: float = 0.0
    public_bookings: bool = True
    """Whether everybody sees whose a booking is and what it is called."""
    policy: Policy = field(default_factory=Policy)
    local_accounts: bool = False
    """Whether people may sign in with a password of the lab's own."""
    oauth2_providers: tuple[OAuth2Provider, ...] = ()
    version: str = ""
    """The software's version, for ``GET health``."""

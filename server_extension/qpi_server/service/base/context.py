"""What every use case stands on, and what a lab may be told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from qpi_jupyter.core import Policy, Quotas
from qpi_server.settings.providers import OAuth2Provider
from qpi_server.store import USUAL, Blobs

from .clock import Clock
from .followers import Followers
from .metrics import Metrics
from .qpus import Qpus
from .tasks import Tasks
from .units import Commits, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Settings, clock, rows, bytes, and what is known in memory; made once by the lab that is opened."""

    config: LabConfig
    clock: Clock
    db: Database
    blobs: Blobs
    commits: Commits
    followers: Followers
    qpus: Qpus
    tasks: Tasks
    metrics: Metrics

    def now(self) -> datetime:
        """The time of day."""
        return self.clock.now()


@dataclass(frozen=True, slots=True, kw_only=True)
class LabConfig:
    """Settings of a lab; durations in seconds, sizes in bytes."""

    lab_dir: Path
    db_url: str = USUAL
    """Where the rows are; results are in ``lab_dir`` in any case."""
    begin_anew: bool = False
    """Whether a lab whose database is missing or damaged is moved aside, and a new one begun."""
    buses: tuple[str, ...] = ()
    """Addresses of buses that drivers reach the lab over, beside its own WebSocket."""
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
    search_budget_s: float = 5.0
    """How long one search through many rows may take."""
    max_shots: int = 1_000_000
    result_limit_bytes: int = 16 << 30
    default_allowance_s: float | None = None
    """QPU time that each person's account begins with; None: nobody's time is limited."""
    retention_days: float = 0.0
    """How long a finished job is kept; 0: for ever."""
    events_retention_days: float = 0.0
    public_bookings: bool = True
    """Whether everybody sees whose a booking is and what it is called."""
    quotas: Quotas = field(default_factory=Quotas)
    """What one person may have."""
    policy: Policy = field(default_factory=Policy)
    local_accounts: bool = False
    """Whether people may sign in with a password of the lab's own."""
    oauth2_providers: tuple[OAuth2Provider, ...] = ()
    version: str = ""
    """The software's version, for ``GET health``."""

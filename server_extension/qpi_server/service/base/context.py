"""What every use case stands on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from qpi_server.settings.config import LabConfig
from qpi_server.store import Blobs

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

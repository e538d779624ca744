"""What every use case stands on: settings, clock, units of work, background work, turns."""

from __future__ import annotations

from qpi_server.settings.config import LabConfig

from .child import NO_PROCESS, answer_of
from .clock import Clock, Timer, Timers
from .context import Context
from .followers import Followers, Found, end, job, sees, stream
from .joined import Joined
from .metrics import Metrics
from .names import require_distinct
from .pages import cursor
from .qpus import Qpu, Qpus, require_present, tell_qpu, the_qpu
from .tasks import Tasks, Underway
from .turns import DRIVER_BURST, Rates, Turns, network
from .types import build_types
from .units import MANAGERS, Commits, Database, Tx, Wake, Written
from .worker import Worker

__all__ = [
    "DRIVER_BURST", "MANAGERS", "NO_PROCESS", "Clock", "Commits", "Context", "Database", "Followers", "Found", "Joined",
    "LabConfig", "Metrics", "Qpu", "Qpus", "Rates", "Tasks", "Timer", "Timers", "Turns", "Tx", "Underway", "Wake",
    "Worker", "Written", "answer_of", "build_types", "cursor", "end", "job", "network", "require_distinct",
    "require_present", "sees", "stream", "tell_qpu", "the_qpu",
]  # fmt: skip

"""The coordinator of distributed quantum services: ``<base_url>qpi/coordinator/api/v1``. A job of it is a job of the
lab, a node is a QPU, a fragment is a child of its job; nothing else is kept of them."""

from __future__ import annotations

from . import about, enrollment, finance, jobs, network, plans, workflows
from .base import coordinator
from .watch import PATH as JOB_SOCKET
from .watch import JobSocket

__all__ = [
    "JOB_SOCKET", "JobSocket", "about", "coordinator", "enrollment", "finance", "jobs", "network", "plans",
    "workflows",
]  # fmt: skip

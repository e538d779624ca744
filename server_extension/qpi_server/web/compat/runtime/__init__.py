"""IBM Quantum's REST API (Qiskit Runtime): ``<base_url>qpi/experimental/v1``, with what its client asks before that,
``qpi/iam``, ``qpi/search`` and ``qpi/catalog``. A runtime job is a job of the lab, and nothing else is kept of it."""

from __future__ import annotations

from . import backends, jobs, seed, sessions
from .base import runtime
from .handler import RuntimeHandler
from .services import iam

__all__ = ["RuntimeHandler", "backends", "iam", "jobs", "runtime", "seed", "sessions"]

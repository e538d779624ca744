"""IBM Quantum's REST API (Qiskit Runtime): ``<base_url>qpi/experimental/v1``, with what its client asks before that,
``qpi/iam``, ``qpi/search`` and ``qpi/catalog``. A runtime job is a job of the lab, and nothing else is kept of it."""

from __future__ import annotations

from . import backends, jobs, seed, sessions
from .base import runtime
from .handler import IamHandler, RuntimeHandler, UnknownRuntimeHandler
from .services import iam

__all__ = [
    "IamHandler", "RuntimeHandler", "UnknownRuntimeHandler", "backends", "iam", "jobs", "runtime", "seed", "sessions",
]  # fmt: skip

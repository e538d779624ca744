"""The native surface, ``<base_url>qpi/v1/``: every address, who may use it, and the one service call behind it."""

from __future__ import annotations

from . import accounts, bookings, jobs, lab, people, plans, qpus
from .base import public, v1

__all__ = ["accounts", "bookings", "jobs", "lab", "people", "plans", "public", "qpus", "v1"]

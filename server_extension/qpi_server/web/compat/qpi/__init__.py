"""QPI's HTTP surface under ``<base_url>qpi/api/``: its routes, its PocketBase collections, its words."""

from __future__ import annotations

from . import about, auth, drivers, jobs, notices, qpus, realtime, slots, time_requests, tokens, users
from .base import api
from .handler import QpiHandler

__all__ = [
    "QpiHandler", "about", "api", "auth", "drivers", "jobs", "notices", "qpus", "realtime",
    "slots", "time_requests", "tokens", "users",
]  # fmt: skip

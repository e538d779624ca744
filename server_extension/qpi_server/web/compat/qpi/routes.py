"""Every route of QPI's surface, collected from its modules."""

from __future__ import annotations

from . import about, auth, drivers, jobs, notices, qpus, realtime, slots, time_requests, tokens, users
from .base import api as api

MODULES = (jobs, qpus, slots, time_requests, notices, users, tokens, auth, drivers, realtime, about)
"""Importing a module adds its routes to the table."""

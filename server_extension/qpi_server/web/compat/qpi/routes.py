"""Every route of QPI's surface, collected from its modules."""

from __future__ import annotations

from . import about, drivers, jobs, qpus, realtime
from .base import api as api

MODULES = (jobs, qpus, drivers, realtime, about)
"""Importing a module adds its routes to the table."""

"""Every route of QPI's surface, collected from its modules."""

from __future__ import annotations

from . import about, drivers, jobs, qpus
from .base import api as api

MODULES = (jobs, qpus, drivers, about)
"""Importing a module adds its routes to the table."""

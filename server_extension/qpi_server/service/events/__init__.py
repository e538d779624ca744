"""The event stream."""

from __future__ import annotations

from .events import EventService
from .streams import Out

__all__ = ["EventService", "Out"]

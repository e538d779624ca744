"""The surfaces: who is asking (`identity`), what may be asked (`routes`), and how it is answered (`handler`)."""

from __future__ import annotations

from .events import EventRelay
from .routes import ROUTES, handlers

__all__ = ["ROUTES", "EventRelay", "handlers"]

"""The surfaces: who is asking (`identity`), what may be asked (`routes`), and how it is answered (`handler`)."""

from __future__ import annotations

from .events import EventRelay
from .identity import has_own_people
from .pages import set_up_link
from .routes import OWN, PAGES, ROUTES, handlers

__all__ = ["OWN", "PAGES", "ROUTES", "EventRelay", "handlers", "has_own_people", "set_up_link"]

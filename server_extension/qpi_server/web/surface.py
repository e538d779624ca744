"""Every address of the extension, as tornado wants them."""

from __future__ import annotations

from typing import Any

from .events import EventHandler
from .handler import RestHandler, UnknownHandler
from .link import PATH as LINK
from .link import LinkHandler
from .routes import public, v1


def handlers() -> list[tuple[Any, ...]]:
    """Patterns, handlers and their arguments; the first match counts."""
    rest = [
        (pattern, RestHandler, {"routes": routes})
        for table in (v1, public)
        for pattern, routes in table.by_path().items()
    ]
    return [(LINK, LinkHandler), *rest, (r"/qpi/.*", UnknownHandler), (r"/api/events", EventHandler)]

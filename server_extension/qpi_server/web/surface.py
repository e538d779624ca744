"""Every address of the extension, as tornado wants them."""

from __future__ import annotations

from typing import Any

from .compat.qpi.handler import QpiHandler, UnknownQpiHandler
from .events import EventHandler
from .handler import RestHandler, UnknownHandler
from .link import PATH as LINK
from .link import LinkHandler
from .routes import public, qpi, v1


def handlers() -> list[tuple[Any, ...]]:
    """Patterns, handlers and their arguments; the first match counts."""
    rest = [
        (pattern, handler, {"routes": routes})
        for table, handler in ((v1, RestHandler), (public, RestHandler), (qpi, QpiHandler))
        for pattern, routes in table.by_path().items()
    ]
    return [
        (LINK, LinkHandler),
        *rest,
        (r"/qpi/api/.*", UnknownQpiHandler),
        (r"/qpi/.*", UnknownHandler),
        (r"/api/events", EventHandler),
    ]

"""Every route of the surface, and the handlers behind them as tornado wants them."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from qpi_jupyter.core import Permission as P

from .compat.coordinator import JOB_SOCKET, JobSocket, coordinator
from .compat.qpi import QpiHandler
from .compat.qpi import api as qpi
from .compat.runtime import RuntimeHandler, iam, runtime
from .compat.tasks import TaskHandler, tasks
from .events import EventHandler
from .handler import RestHandler, UnknownHandler
from .labs import LabsHandler, labs
from .link import PATH as LINK
from .link import LinkHandler
from .oauth import oauth
from .openapi import document
from .pages import PageHandler, pages
from .table import Call
from .v1 import public, v1


@v1.route("GET", "openapi.json", P.SPEC_READ, {200: "application/json"})
async def get_openapi(call: Call) -> bytes:
    """This description."""
    return _openapi()


@pages.route("GET", "docs.json", P.SPEC_READ, {200: "application/json"})
async def get_openapi_in_a_browser(call: Call) -> bytes:
    """The same for its page: the sign-in of a browser counts for pages alone."""
    return _openapi()


@cache
def _openapi() -> bytes:
    return msgspec.json.encode(document(ROUTES))


ROUTES = [
    *v1.routes, *public.routes, *qpi.routes, *tasks.routes, *runtime.routes, *iam.routes, *coordinator.routes,
    *oauth.routes,
]  # fmt: skip
PAGES = pages.routes
"""For people, in a browser: no part of the description."""
OWN = labs.routes
"""Of a Jupyter server, whose lab may be elsewhere."""
_NOWHERE = "There is nothing at {path}; GET qpi/v1/openapi.json lists what there is."
UNKNOWN = (
    (r"/qpi/api/.*", qpi, "The requested resource wasn't found."),
    (r"/qpi/tasks/.*", tasks, _NOWHERE),
    (
        r"/qpi/(experimental|runtime|iam|search|catalog)/.*",
        runtime,
        "This lab has nothing at this address of IBM's API.",
    ),
    (
        r"/qpi/coordinator/.*",
        coordinator,
        "There is nothing at {path}: docs/reference/coordinator.md lists what there is.",
    ),
    (r"/qpi/.*", v1, _NOWHERE),
)  # fmt: skip
"""What each surface says at its addresses that no route has."""


def handlers() -> list[tuple[Any, ...]]:
    """Patterns, handlers and their arguments; the first match counts."""
    rest = [
        (pattern, handler, {"routes": routes, "refuse": table.refuse})
        for table, handler in (
            (v1, RestHandler),
            (public, RestHandler),
            (qpi, QpiHandler),
            (tasks, TaskHandler),
            (runtime, RuntimeHandler),
            (iam, RuntimeHandler),
            (coordinator, RestHandler),
            (oauth, RestHandler),
            (pages, PageHandler),
            (labs, LabsHandler),
        )
        for pattern, routes in table.by_path().items()
    ]
    unknown = [
        (pattern, UnknownHandler, {"message": message, "refuse": table.refuse}) for pattern, table, message in UNKNOWN
    ]
    return [(LINK, LinkHandler), (JOB_SOCKET, JobSocket), *rest, *unknown, (r"/api/events", EventHandler)]

"""Every route of the surface, and the handlers behind them as tornado wants them."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from qpi_jupyter.core import Permission as P

from .compat.coordinator import (
    JOB_SOCKET,
    CoordinatorHandler,
    JobSocket,
    UnknownCoordinatorHandler,
    coordinator,
)
from .compat.qpi import QpiHandler, UnknownQpiHandler
from .compat.qpi import api as qpi
from .compat.runtime import IamHandler, RuntimeHandler, UnknownRuntimeHandler, iam, runtime
from .compat.tasks import TaskHandler, UnknownTaskHandler, tasks
from .events import EventHandler
from .handler import RestHandler, UnknownHandler
from .labs import LabsHandler, labs
from .link import PATH as LINK
from .link import LinkHandler
from .oauth import OAuthHandler, oauth
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


def handlers() -> list[tuple[Any, ...]]:
    """Patterns, handlers and their arguments; the first match counts."""
    rest = [
        (pattern, handler, {"routes": routes})
        for table, handler in (
            (v1, RestHandler),
            (public, RestHandler),
            (qpi, QpiHandler),
            (tasks, TaskHandler),
            (runtime, RuntimeHandler),
            (iam, IamHandler),
            (coordinator, CoordinatorHandler),
            (oauth, OAuthHandler),
            (pages, PageHandler),
            (labs, LabsHandler),
        )
        for pattern, routes in table.by_path().items()
    ]
    return [
        (LINK, LinkHandler),
        (JOB_SOCKET, JobSocket),
        *rest,
        (r"/qpi/api/.*", UnknownQpiHandler),
        (r"/qpi/tasks/.*", UnknownTaskHandler),
        (r"/qpi/(experimental|runtime|iam|search|catalog)/.*", UnknownRuntimeHandler),
        (r"/qpi/coordinator/.*", UnknownCoordinatorHandler),
        (r"/qpi/.*", UnknownHandler),
        (r"/api/events", EventHandler),
    ]

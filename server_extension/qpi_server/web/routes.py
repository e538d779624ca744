"""Every route of the surface, collected from its modules."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P

from .compat.qpi.routes import api as qpi
from .openapi import document
from .table import Call, Reply
from .v1 import (
    about,
    accounts,
    bookings,
    drive,
    events,
    jobs,
    notices,
    people,
    qpus,
    replays,
    sessions,
    telemetry,
    tokens,
)  # fmt: skip
from .v1.base import public, v1

MODULES = (
    jobs, bookings, sessions, events, qpus, telemetry, accounts, people, tokens, notices, drive, replays, about,
)  # fmt: skip
"""Importing a module adds its routes to the tables."""


@v1.route("GET", "openapi.json", P.SPEC_READ, {200: "application/json"})
async def get_openapi(call: Call) -> Reply:
    """This description."""
    return Reply(body=document(ROUTES))


ROUTES = [*v1.routes, *public.routes, *qpi.routes]

"""Sessions: a QPU held for a low-latency loop."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import bookings
from qpi_server.web.table import Call, Reply

from .base import v1


@v1.route("POST", "sessions", P.SESSIONS_OPEN, {201: bookings.SessionModel}, body=bookings.SessionIn)
async def open_session(call: Call) -> Reply:
    """Hold a QPU: within one's booking, or for a budget of QPU time."""
    return Reply(body=await call.lab.qpu_sessions.open(call.person, call.body), status=201)


@v1.route("GET", "sessions", P.SESSIONS_OPEN, {200: bookings.SessionList})
async def list_sessions(call: Call) -> Reply:
    """The open sessions of the lab, and one's own latest ones."""
    return Reply(body=await call.lab.qpu_sessions.list(call.person))


@v1.route("POST", "sessions/{id}/renew", P.SESSIONS_OPEN, {200: bookings.SessionModel})
async def renew_session(call: Call) -> Reply:
    """Say that its holder is still there."""
    return Reply(body=await call.lab.qpu_sessions.renew(call.person, call.path["id"]))


@v1.route("DELETE", "sessions/{id}", P.SESSIONS_OPEN, {200: bookings.SessionModel})
async def close_session(call: Call) -> Reply:
    """End it; again is fine."""
    return Reply(body=await call.lab.qpu_sessions.close(call.person, call.path["id"]))

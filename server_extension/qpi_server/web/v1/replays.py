"""Trying other policies on the lab's past."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire.replays import ReplayIn, ReplayState
from qpi_server.web.table import Call, Reply

from .base import v1


@v1.route("GET", "replay", P.POLICIES_TRY, {200: ReplayState})
async def get_replay(call: Call) -> Reply:
    """The policy in force, and the replay that runs or the last one, with its figures."""
    return Reply(body=await call.lab.replays.state(call.person))


@v1.route("POST", "replay", P.POLICIES_TRY, {202: ReplayState}, body=ReplayIn)
async def start_replay(call: Call) -> Reply:
    """Replay the past, or an invented month, under other policies; it changes nothing. One at a time."""
    return Reply(body=await call.lab.replays.start(call.person, call.body), status=202)


@v1.route("DELETE", "replay", P.POLICIES_TRY, {200: ReplayState})
async def cancel_replay(call: Call) -> Reply:
    """End the replay that runs."""
    return Reply(body=await call.lab.replays.cancel(call.person))

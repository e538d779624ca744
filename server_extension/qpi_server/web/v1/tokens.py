"""API tokens."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import rest
from qpi_server.web.table import Call, Reply

from .base import v1


@v1.route("POST", "tokens", P.TOKENS_OWN, {201: rest.TokenCreated}, body=rest.TokenIn)
async def create_token(call: Call) -> Reply:
    """Make an API token of one's own; only this answer shows it."""
    return Reply(body=await call.lab.people.create_token(call.person, call.body), status=201)

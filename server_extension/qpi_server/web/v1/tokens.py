"""API tokens."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import people, rest
from qpi_server.web.table import Call, Reply

from .base import Query, Text, v1


class TokensQuery(Query):
    """``GET tokens``: one's own, or for admins somebody's."""

    owner: Text | None = None


@v1.route("POST", "tokens", P.TOKENS_OWN, {201: rest.TokenCreated}, body=rest.TokenIn)
async def create_token(call: Call) -> Reply:
    """Make an API token of one's own; only this answer shows it."""
    return Reply(body=await call.lab.tokens.create(call.person, call.body), status=201)


@v1.route("GET", "tokens", P.TOKENS_OWN, {200: people.TokenList}, query=TokensQuery)
async def list_tokens(call: Call) -> Reply:
    """Tokens that are not revoked, with when each was used last."""
    q: TokensQuery = call.query
    return Reply(body=await call.lab.tokens.list(call.person, owner=q.owner))


@v1.route("GET", "tokens/{id}", P.TOKENS_OWN, {200: people.TokenModel})
async def get_token(call: Call) -> Reply:
    """One token."""
    return Reply(body=await call.lab.tokens.get(call.person, call.path["id"]))


@v1.route("PATCH", "tokens/{id}", P.TOKENS_OWN, {200: people.TokenModel}, body=people.TokenChange)
async def change_token(call: Call) -> Reply:
    """Rename a token or move its end."""
    return Reply(body=await call.lab.tokens.change(call.person, call.path["id"], call.body))


@v1.route("DELETE", "tokens/{id}", P.TOKENS_OWN, {200: people.TokenModel})
async def revoke_token(call: Call) -> Reply:
    """End a token at once."""
    return Reply(body=await call.lab.tokens.revoke(call.person, call.path["id"]))

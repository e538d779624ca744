"""API tokens: QPI's own routes, and the collection ``api_tokens``."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import UNSET, UnsetType

from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.people import TokenChange, TokenModel
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.web.table import JSON, Call, Reply, Route

from .base import Body, Record, api, moment_or_none, record, rendered, request, stamp
from .paging import Listing, RecordPage, View, paged, picked

TOKEN_FIELDS = frozenset({"id", "name", "user", "expires_at", "last_used", "created", "updated"})


class NewToken(Body):
    """``POST tokens``."""

    name: str = ""
    expires_at: str | None = None


class TokenPatch(Body):
    """``PATCH tokens/{id}``; an empty ``expires_at`` takes the end away."""

    name: str | UnsetType = UNSET
    expires_at: str | UnsetType | None = UNSET


@api.route("POST", "tokens", P.TOKENS_OWN, {201: JSON}, body=NewToken)
async def qpi_create_token(call: Call, wanted: NewToken) -> Reply:
    """Make an API token of one's own; only this answer shows it."""
    end = moment_or_none(wanted.expires_at, "expires_at")
    made = await call.lab.tokens.create(call.person, request(TokenIn, name=wanted.name, expires_at=end))
    return Reply(
        body={
            "id": made.id, "token": made.token, "name": made.name, "expires_at": stamp(made.expires_at),
            "created": stamp(datetime.now(UTC)),
        },
        status=201,
    )  # fmt: skip


@api.route("DELETE", "tokens/{id}", P.TOKENS_OWN, {200: JSON})
async def qpi_revoke_token(call: Call) -> Reply:
    """End a token."""
    await call.lab.tokens.revoke(call.person, call.path["id"])
    return Reply(body={"status": "deleted"})


def token_record(token: TokenModel) -> Record:
    """A token as QPI has it."""
    return record(
        "api_tokens",
        token.id,
        {
            "name": token.name,
            "user": token.owner,
            "expires_at": stamp(token.expires_at),
            "last_used": stamp(token.last_used_at),
            "created": stamp(token.created_at),
            "updated": stamp(token.created_at),
        },
    )


async def _records(call: Call) -> list[Record]:
    return [token_record(token) for token in (await call.lab.tokens.list(call.person)).tokens]


async def _change(call: Call) -> Record:
    wanted: TokenPatch = call.body
    change = request(TokenChange, name=wanted.name, expires_at=moment_or_none(wanted.expires_at, "expires_at"))
    return token_record(await call.lab.tokens.change(call.person, call.path["id"], change))


api.serve(
    Route("qpi_list_tokens", "GET", "tokens", P.TOKENS_OWN, {200: JSON},
          "One's own tokens, without the tokens themselves.", lambda c: _records(c)),
    Route("qpi_get_token", "GET", "tokens/{id}", P.TOKENS_OWN, {200: JSON},
          "One token.", lambda c: rendered(token_record, c.lab.tokens.get(c.person, c.path["id"]))),
    Route("qpi_change_token", "PATCH", "tokens/{id}", P.TOKENS_OWN, {200: JSON},
          "Rename a token, or move its end.", lambda c: _change(c), body=TokenPatch),
    Route("qpi_list_token_records", "GET", "collections/api_tokens/records", P.TOKENS_OWN, {200: RecordPage},
          "A page of one's own tokens.", lambda c: paged(c, _records(c), TOKEN_FIELDS), query=Listing),
    Route("qpi_get_token_record", "GET", "collections/api_tokens/records/{id}", P.TOKENS_OWN, {200: JSON},
          "One token's record.",
          picked(lambda c: rendered(token_record, c.lab.tokens.get(c.person, c.path["id"]))), query=View),
    Route("qpi_change_token_record", "PATCH", "collections/api_tokens/records/{id}", P.TOKENS_OWN, {200: JSON},
          "Rename a token, or move its end, through its collection.", lambda c: _change(c), body=TokenPatch),
    Route("qpi_revoke_token_record", "DELETE", "collections/api_tokens/records/{id}", P.TOKENS_OWN, {204: ""},
          "End a token through its collection.", lambda c: c.lab.tokens.revoke(c.person, c.path["id"])),
)  # fmt: skip

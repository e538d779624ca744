"""API tokens: QPI's own routes, and the collection ``api_tokens``."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import UNSET, UnsetType

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire.people import TokenChange, TokenModel
from qpi_jupyter.wire.rest import TokenIn
from qpi_server.web.table import Call, Reply

from .base import Body, Record, api, moment_or_none, record, request, stamp
from .paging import Listing, RecordPage, page_of, pick

TOKEN_FIELDS = frozenset({"id", "name", "user", "expires_at", "last_used", "created", "updated"})


class NewToken(Body):
    """``POST tokens``."""

    name: str = ""
    expires_at: str | None = None


class TokenPatch(Body):
    """``PATCH tokens/{id}``; an empty ``expires_at`` takes the end away."""

    name: str | UnsetType = UNSET
    expires_at: str | UnsetType | None = UNSET


@api.route("POST", "tokens", P.TOKENS_OWN, {201: "application/json"}, body=NewToken)
async def qpi_create_token(call: Call) -> Reply:
    """Make an API token of one's own; only this answer shows it."""
    wanted: NewToken = call.body
    end = moment_or_none(wanted.expires_at, "expires_at")
    made = await call.lab.tokens.create(call.person, request(TokenIn, name=wanted.name, expires_at=end))
    return Reply(
        body={
            "id": made.id, "token": made.token, "name": made.name, "expires_at": stamp(made.expires_at),
            "created": stamp(datetime.now(UTC)),
        },
        status=201,
    )  # fmt: skip


@api.route("GET", "tokens", P.TOKENS_OWN, {200: "application/json"})
async def qpi_list_tokens(call: Call) -> Reply:
    """One's own tokens, without the tokens themselves."""
    return Reply(body=await _records(call))


@api.route("GET", "tokens/{id}", P.TOKENS_OWN, {200: "application/json"})
async def qpi_get_token(call: Call) -> Reply:
    """One token."""
    return Reply(body=token_record(await call.lab.tokens.get(call.person, call.path["id"])))


@api.route("PATCH", "tokens/{id}", P.TOKENS_OWN, {200: "application/json"}, body=TokenPatch)
async def qpi_change_token(call: Call) -> Reply:
    """Rename a token, or move its end."""
    return Reply(body=await _change(call))


@api.route("DELETE", "tokens/{id}", P.TOKENS_OWN, {200: "application/json"})
async def qpi_revoke_token(call: Call) -> Reply:
    """End a token."""
    await call.lab.tokens.revoke(call.person, call.path["id"])
    return Reply(body={"status": "deleted"})


@api.route("GET", "collections/api_tokens/records", P.TOKENS_OWN, {200: RecordPage}, query=Listing)
async def qpi_list_token_records(call: Call) -> Reply:
    """A page of one's own tokens."""
    return Reply(body=page_of(call.query, await _records(call), TOKEN_FIELDS, datetime.now(UTC)))


@api.route("GET", "collections/api_tokens/records/{id}", P.TOKENS_OWN, {200: "application/json"}, query=Listing)
async def qpi_get_token_record(call: Call) -> Reply:
    """One token's record."""
    found = token_record(await call.lab.tokens.get(call.person, call.path["id"]))
    return Reply(body=pick(found, call.query.fields))


@api.route("PATCH", "collections/api_tokens/records/{id}", P.TOKENS_OWN, {200: "application/json"}, body=TokenPatch)
async def qpi_change_token_record(call: Call) -> Reply:
    """Rename a token, or move its end, through its collection."""
    return Reply(body=await _change(call))


@api.route("DELETE", "collections/api_tokens/records/{id}", P.TOKENS_OWN, {204: ""})
async def qpi_revoke_token_record(call: Call) -> Reply:
    """End a token through its collection."""
    await call.lab.tokens.revoke(call.person, call.path["id"])
    return Reply(status=204)


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
    change = TokenChange() if wanted.name is UNSET else request(TokenChange, name=wanted.name)
    if wanted.expires_at is not UNSET:
        change.expires_at = moment_or_none(wanted.expires_at, "expires_at")
    return token_record(await call.lab.tokens.change(call.person, call.path["id"], change))

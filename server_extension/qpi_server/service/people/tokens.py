"""API tokens of people and services: made, listed, renamed, ended. Only their SHA-256 is kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core import (
    Forbidden,
    NotFound,
    Permission,
    Principal,
    Rejected,
    Role,
    Scope,
    allows,
    greatest_scopes,
    limited,
    may_scope,
    require_quota,
)
from qpi_jupyter.wire.people import TokenChange, TokenList, TokenModel
from qpi_jupyter.wire.rest import TokenCreated, TokenIn
from qpi_server.service.base import Context, Tx
from qpi_server.service.links import SentAway
from qpi_server.store import people, tokens
from qpi_server.store.tokens import TokenRow

from .authenticator import PERSON_ROLES, effective, sha256
from .shared import tell_tokens

TOKEN_PREFIX = "qpi_"
SIGN_IN_PREFIX = "qpi_session_"
"""So that a request with two credentials shows which of them is a sign-in."""
SIGN_IN_S = 12 * 3600.0
MAX_LIST = 1000


class TokenService:
    """A token is its owner's: it never allows more than they may, nor for longer than the token it was made with."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def create(self, principal: Principal, request: TokenIn) -> TokenCreated:
        """A new token, shown only now; one's own, or, for admins, a service's.

        Raises
        ------
        Forbidden
            a scope or an expiry beyond those of whoever asks, or of the owner.
        """
        owner = await self._owner(principal, request.owner)
        expires_at = self._end(principal, request.expires_at or principal.expires_at)
        scopes = _scopes(principal, owner, request.scopes)
        token = new_token()

        def unit(tx: Tx) -> TokenRow:
            if limited(principal):
                require_quota(
                    tokens.valid(tx.connection, owner.name, tx.at), self._context.config.quotas.max_tokens,
                    "valid API tokens", "revoke one first", code="too_many_tokens", setting="max_tokens",
                )  # fmt: skip
            row = add_token(
                tx, token, by=principal.name, name=request.name, owner=owner.name, roles=owner.roles, scopes=scopes,
                expires_at=expires_at,
            )  # fmt: skip
            _record(tx, principal, "token.created", row)
            return row

        row = await self._context.db.write(unit)
        names = None if scopes is None else list(scopes)
        return TokenCreated(id=row.id, name=row.name, token=token, expires_at=expires_at, scopes=names)

    async def list(self, principal: Principal, *, owner: str | None = None) -> TokenList:
        """One's own tokens, newest first; anybody's for admins."""
        owner = owner or principal.name
        if not allows(principal, Permission.TOKENS_OWN, owner):
            raise Forbidden(f"The tokens of {owner} are for {owner} and for admins to see.")
        rows = await self._context.db.read(lambda connection: tokens.of_owner(connection, owner, limit=MAX_LIST))
        return TokenList(tokens=[_model(row) for row in rows])

    async def get(self, principal: Principal, token_id: str) -> TokenModel:
        """One token, with when it was used last."""
        return _model(await self._context.db.read(lambda connection: _find(connection, principal, token_id)))

    async def change(self, principal: Principal, token_id: str, request: TokenChange) -> TokenModel:
        """Rename a token, or move its end: never into the past, nor beyond that of the token one asks with."""
        expires_at = request.expires_at
        if expires_at is not UNSET:
            self._end(principal, expires_at)

        def unit(tx: Tx) -> TokenRow:
            row = _find(tx.connection, principal, token_id)
            if row.driver is not None:
                raise Rejected("A driver's token is replaced by registering the driver, not changed.", code="is_driver")
            if row.session and expires_at is not UNSET:
                raise Rejected("A sign-in keeps its end; make a token instead.", code="is_session", field="expires_at")
            name = row.name if request.name is UNSET else request.name
            end = row.expires_at if expires_at is UNSET else expires_at
            tokens.change(tx.connection, row.id, name=name, expires_at=end)
            tell_tokens(tx, row.owner, [row.id], "changed", principal.name)
            return _find(tx.connection, principal, token_id)

        return _model(await self._context.db.write(unit))

    async def revoke(self, principal: Principal, token_id: str) -> TokenModel:
        """End a token at once; a driver's takes its link with it."""

        def unit(tx: Tx) -> TokenRow:
            row = _find(tx.connection, principal, token_id)
            tokens.change(tx.connection, row.id, revoked_at=tx.at)
            tell_tokens(tx, row.owner, [row.id], "revoked", principal.name)
            _record(tx, principal, "token.revoked", row)
            if row.driver is not None:
                tx.tell(SentAway(row.driver, "Its token was revoked."))
            return row

        return _model(await self._context.db.write(unit))

    async def open_sign_in(self, name: str, guard: Callable[[Tx], None]) -> tuple[str, datetime]:
        """A token for somebody who has just signed in, which follows all that they may, and its end.

        ``guard`` raises, in the transaction, if what they signed in with does not hold any more.
        """
        token = new_token(SIGN_IN_PREFIX)

        def unit(tx: Tx) -> datetime:
            guard(tx)
            most, end = self._context.config.quotas.max_sign_ins, tx.at + timedelta(seconds=SIGN_IN_S)
            ended = tokens.drop_old_sign_ins(tx.connection, name, tx.at, keep=most)
            people.change(tx.connection, name, seen_at=tx.at)
            tell_tokens(tx, name, ended, "revoked", name)
            add_token(
                tx, token, by=name, name="sign-in", owner=name, roles=PERSON_ROLES, session=True, expires_at=end
            )  # fmt: skip
            return end

        return token, await self._context.db.write(unit)

    async def _owner(self, principal: Principal, name: str | None) -> Principal:
        """Whose the token will be, with the rights that bound it."""
        if name is None or name == principal.name:
            return principal
        if not allows(principal, Permission.TOKENS_OWN, name):
            raise Forbidden("Only admins make tokens for others, and only for services.", field="owner")
        row = await self._context.db.read(lambda connection: people.find(connection, name))
        if row is None or effective(row) != {Role.SERVICE}:
            raise Forbidden(
                f"{name} is not a service: make a person with the role service and no other first, or let {name} make "
                "the token.",
                code="not_a_service",
                field="owner",
            )
        return Principal(name=name, roles=effective(row))

    def _end(self, principal: Principal, wanted: datetime | None) -> datetime | None:
        """``wanted``, if a token may end then."""
        limit = principal.expires_at
        if wanted is not None and wanted <= self._context.now():
            raise Rejected(f"expires_at, {wanted.isoformat()}, is past.", code="past", field="expires_at")
        if limit is not None and (wanted is None or wanted > limit):
            raise Forbidden(
                f"A token does not outlive the one it is made or changed with, which ends at {limit.isoformat()}.",
                code="expiry_beyond",
                field="expires_at",
                limit=limit.isoformat(),
            )
        return wanted


def new_token(prefix: str = TOKEN_PREFIX) -> str:
    return prefix + secrets.token_urlsafe(32)


def add_token(
    tx: Tx,
    token: str,
    *,
    by: str,
    name: str,
    owner: str,
    roles: Iterable[Role],
    scopes: tuple[str, ...] | None = None,
    session: bool = False,
    driver: str | None = None,
    expires_at: datetime | None = None,
) -> TokenRow:
    """Write the row of a token that was just made, and tell whose it is."""
    row = TokenRow(
        id=f"tok-{secrets.token_hex(8)}",
        sha256=sha256(token),
        name=name,
        owner=owner,
        roles=tuple(sorted(role.value for role in roles)),
        scopes=scopes,
        session=session,
        driver=driver,
        created_at=tx.at,
        expires_at=expires_at,
    )
    tokens.add(tx.connection, row)
    tell_tokens(tx, owner, [row.id], "created", by)
    return row


def _scopes(principal: Principal, owner: Principal, wanted: Iterable[str] | None) -> tuple[str, ...] | None:
    """The scopes of a new token; without any named, as wide as whoever asks.

    Raises
    ------
    Forbidden
        one of them is beyond ``owner``, or beyond the token that ``principal`` asks with.
    """
    if wanted is None:
        return None if principal.scopes is None else tuple(sorted(greatest_scopes(principal.scopes)))
    scopes = sorted({Scope(name) for name in wanted})
    if not scopes:
        raise Rejected("Name at least one scope, or leave scopes out for all of your rights.", field="scopes")
    for scope in scopes:
        if scope is Scope.DRIVE:
            raise Forbidden(
                "The scope drive is for drivers alone: registering a driver makes its token.",
                code="scope_beyond", field="scopes", scope=scope.value,
            )  # fmt: skip
        if not (may_scope(owner, scope) and (principal is owner or may_scope(principal, scope))):
            raise Forbidden(
                f"The scope {scope} exceeds your permissions, or those of the token you ask with.",
                code="scope_beyond", field="scopes", scope=scope.value,
            )  # fmt: skip
    return tuple(scopes)


CURRENT = "current"
"""Instead of an id: the token that one asks with."""


def _find(connection: Connection, principal: Principal, token_id: str) -> TokenRow:
    if token_id == CURRENT and principal.token is not None:
        token_id = principal.token
    row = tokens.find(connection, token_id)
    if row is None or row.revoked_at is not None or not allows(principal, Permission.TOKENS_OWN, row.owner):
        raise NotFound(f"There is no token {token_id!r}, or it is not yours.", code="unknown_token")
    return row


def _record(tx: Tx, by: Principal, action: str, row: TokenRow) -> None:
    tx.audit(by, action, f"token:{row.id}", name=row.name, owner=row.owner, scopes=row.scopes)


def _model(row: TokenRow) -> TokenModel:
    return TokenModel(
        id=row.id,
        name=row.name,
        owner=row.owner,
        scopes=None if row.scopes is None else list(row.scopes),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        session=row.session,
    )

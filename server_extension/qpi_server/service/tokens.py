"""API tokens of people and services: made, listed, renamed, ended. Only their SHA-256 is kept."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, Role, Scope, allows, greatest_scopes, may_scope
from qpi_jupyter.core.errors import Forbidden, NotFound, Rejected
from qpi_jupyter.wire.people import TokenChange, TokenList, TokenModel
from qpi_jupyter.wire.rest import TokenCreated, TokenIn
from qpi_server.store import audit, people, tokens
from qpi_server.store.audit import AuditRow
from qpi_server.store.tokens import TokenRow

from .door import PERSON_ROLES, Door, effective, sha256
from .room import Room
from .sessions import Sessions

PREFIX = "qpi_"
SESSION_PREFIX = "qpi_session_"
"""So that a request with two credentials shows which of them is a sign-in."""
SESSION_S = 12 * 3600.0
MAX_LIST = 1000


class TokenService:
    """A token is its owner's: it never allows more than they may, nor for longer than the token it was made with."""

    def __init__(self, room: Room, door: Door, sessions: Sessions) -> None:
        self._room, self._door, self._sessions = room, door, sessions

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
        token, at = new_token(), self._room.now()
        row = new_row(
            token, name=request.name, owner=owner.name, roles=owner.roles, scopes=scopes, created_at=at,
            expires_at=expires_at,
        )  # fmt: skip

        def unit(connection: Connection) -> None:
            tokens.add(connection, row)
            audit.add(connection, _deed(principal, "token.created", row, at))

        await self._room.store.write(unit)
        names = None if scopes is None else list(scopes)
        return TokenCreated(id=row.id, name=row.name, token=token, expires_at=expires_at, scopes=names)

    async def list(self, principal: Principal, *, owner: str | None = None) -> TokenList:
        """One's own tokens, newest first; anybody's for admins."""
        owner = owner or principal.name
        if not allows(principal, Permission.TOKENS_OWN, owner):
            raise Forbidden(f"The tokens of {owner} are for {owner} and for admins to see.")
        rows = await self._room.store.read(lambda connection: tokens.of_owner(connection, owner, limit=MAX_LIST))
        return TokenList(tokens=[_model(row) for row in rows])

    async def get(self, principal: Principal, token_id: str) -> TokenModel:
        """One token, with when it was used last."""
        return _model(await self._room.store.read(lambda connection: _find(connection, principal, token_id)))

    async def change(self, principal: Principal, token_id: str, request: TokenChange) -> TokenModel:
        """Rename a token, or move its end: never into the past, nor beyond that of the token one asks with."""
        expires_at = request.expires_at
        if expires_at is not UNSET:
            self._end(principal, expires_at)

        def unit(connection: Connection) -> TokenRow:
            row = _find(connection, principal, token_id)
            if row.driver is not None:
                raise Rejected("A driver's token is replaced by registering the driver, not changed.", code="is_driver")
            if row.session and expires_at is not UNSET:
                raise Rejected("A sign-in keeps its end; make a token instead.", code="is_session", field="expires_at")
            name = row.name if request.name is UNSET else request.name
            end = row.expires_at if expires_at is UNSET else expires_at
            tokens.change(connection, row.id, name=name, expires_at=end)
            return _find(connection, principal, token_id)

        row = await self._room.store.write(unit)
        self._door.forget(row.owner)
        return _model(row)

    async def revoke(self, principal: Principal, token_id: str) -> TokenModel:
        """End a token at once; a driver's takes its link with it."""
        at = self._room.now()

        def unit(connection: Connection) -> TokenRow:
            row = _find(connection, principal, token_id)
            tokens.revoke(connection, row.id, at)
            audit.add(connection, _deed(principal, "token.revoked", row, at))
            return row

        row = await self._room.store.write(unit)
        self._door.forget(row.owner)
        if row.driver is not None and (session := self._sessions.get(row.driver)) is not None:
            session.close("Its token was revoked.")
        return _model(row)

    async def open_session(self, name: str, guard: Callable[[Connection], None]) -> tuple[str, datetime]:
        """A token for somebody who has just signed in, which follows all that they may, and its end.

        ``guard`` raises, in the transaction, if what they signed in with does not hold any more.
        """
        token, at = new_token(SESSION_PREFIX), self._room.now()
        end = at + timedelta(seconds=SESSION_S)
        row = new_row(
            token, name="sign-in", owner=name, roles=PERSON_ROLES, created_at=at, expires_at=end, session=True
        )

        def unit(connection: Connection) -> None:
            guard(connection)
            tokens.drop_old_sessions(connection, name, at)
            people.change(connection, name, seen_at=at)
            tokens.add(connection, row)

        await self._room.store.write(unit)
        return token, end

    async def _owner(self, principal: Principal, name: str | None) -> Principal:
        """Whose the token will be, with the rights that bound it."""
        if name is None or name == principal.name:
            return principal
        if not allows(principal, Permission.TOKENS_OWN, name):
            raise Forbidden("Only admins make tokens for others, and only for services.", field="owner")
        row = await self._room.store.read(lambda connection: people.find(connection, name))
        if row is None or effective(row) != {Role.SERVICE}:
            raise Forbidden(
                f"{name} is no service: make a person with the role service and no other first, or let {name} make "
                "the token.",
                code="not_a_service",
                field="owner",
            )
        return Principal(name=name, roles=effective(row))

    def _end(self, principal: Principal, wanted: datetime | None) -> datetime | None:
        """``wanted``, if a token may end then."""
        limit = principal.expires_at
        if wanted is not None:
            if wanted.tzinfo is None:
                raise Rejected("expires_at carries a time zone.", code="bad_request", field="expires_at")
            if wanted <= self._room.now():
                raise Rejected(f"expires_at, {wanted.isoformat()}, is past.", code="past", field="expires_at")
        if limit is not None and (wanted is None or wanted > limit):
            raise Forbidden(
                f"A token does not outlive the one it is made or changed with, which ends at {limit.isoformat()}.",
                code="expiry_beyond",
                field="expires_at",
                limit=limit.isoformat(),
            )
        return wanted


def new_token(prefix: str = PREFIX) -> str:
    return prefix + secrets.token_urlsafe(32)


def new_row(
    token: str,
    *,
    name: str,
    owner: str,
    roles: Iterable[Role],
    created_at: datetime,
    scopes: tuple[str, ...] | None = None,
    session: bool = False,
    driver: str | None = None,
    expires_at: datetime | None = None,
) -> TokenRow:
    """The row of a token that was just made."""
    return TokenRow(
        id=f"tok-{secrets.token_hex(8)}",
        sha256=sha256(token),
        name=name,
        owner=owner,
        roles=tuple(sorted(role.value for role in roles)),
        scopes=scopes,
        session=session,
        driver=driver,
        created_at=created_at,
        expires_at=expires_at,
    )


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
                f"The scope {scope} is beyond what you may, or beyond the token you ask with.",
                code="scope_beyond", field="scopes", scope=scope.value,
            )  # fmt: skip
    return tuple(scopes)


def _find(connection: Connection, principal: Principal, token_id: str) -> TokenRow:
    row = tokens.find(connection, token_id)
    if row is None or row.revoked_at is not None or not allows(principal, Permission.TOKENS_OWN, row.owner):
        raise NotFound(f"There is no token {token_id!r}, or it is not yours.", code="unknown_token")
    return row


def _deed(principal: Principal, action: str, row: TokenRow, at: datetime) -> AuditRow:
    data = {"name": row.name, "owner": row.owner, "scopes": row.scopes}
    return AuditRow(at=at, who=principal.name, action=action, subject=f"token:{row.id}", data=data)


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

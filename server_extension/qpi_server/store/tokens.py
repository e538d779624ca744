"""Rows of API tokens: of people, services and drivers, and of sign-ins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from .rows import first, some
from .schema import api_tokens, drivers


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """An API token; only its SHA-256 is kept. ``scopes`` are names of `qpi_jupyter.core.access.Scope`."""

    id: str
    sha256: str
    name: str = ""
    owner: str
    roles: tuple[str, ...]
    """The most that the token ever allows, whatever its owner becomes."""
    scopes: tuple[str, ...] | None = None
    session: bool = False
    driver: str | None = None
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


def _row(row: Row[Any]) -> TokenRow:
    fields: dict[str, Any] = {column.name: row._mapping[column] for column in api_tokens.columns}  # as the columns are
    scopes = fields["scopes"]
    return TokenRow(**{**fields, "roles": tuple(fields["roles"]), "scopes": None if scopes is None else tuple(scopes)})


def add(connection: Connection, row: TokenRow) -> None:
    """Write a new token."""
    connection.execute(
        insert(api_tokens),
        {
            "id": row.id,
            "sha256": row.sha256,
            "name": row.name,
            "owner": row.owner,
            "roles": list(row.roles),
            "scopes": None if row.scopes is None else list(row.scopes),
            "session": row.session,
            "driver": row.driver,
            "created_at": row.created_at,
            "expires_at": row.expires_at,
        },
    )


def by_digest(connection: Connection, sha256: str) -> tuple[TokenRow, str | None] | None:
    """The token with this digest, and the QPU of the driver that it belongs to, if to one."""
    query = (
        select(api_tokens, drivers.c.qpu)
        .join_from(api_tokens, drivers, api_tokens.c.driver == drivers.c.id, isouter=True)
        .where(api_tokens.c.sha256 == sha256)
    )
    return first(connection, query, lambda row: (_row(row), row.qpu))


def find(connection: Connection, token_id: str) -> TokenRow | None:
    """The token of that id, revoked or not."""
    return first(connection, select(api_tokens).where(api_tokens.c.id == token_id), _row)


def of_owner(connection: Connection, owner: str, *, limit: int) -> list[TokenRow]:
    """Tokens that are not revoked, newest first."""
    query = (
        select(api_tokens)
        .where(api_tokens.c.owner == owner, api_tokens.c.revoked_at.is_(None))
        .order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
    )
    return some(connection, query, _row, limit)


def change(connection: Connection, token_id: str, **values: Any) -> None:
    """Set columns of a token (Any: each has its own type)."""
    connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(**values))


def revoke_all(connection: Connection, owner: str, at: datetime) -> list[str]:
    """End every token of an owner, a person or a driver; their ids."""
    open_ones = (api_tokens.c.owner == owner, api_tokens.c.revoked_at.is_(None))
    ended = update(api_tokens).where(*open_ones).values(revoked_at=at).returning(api_tokens.c.id)
    return list(connection.scalars(ended))


def end_sign_ins(connection: Connection, owner: str, *, but: str | None = None) -> list[str]:
    """Forget a person's sign-ins, ``but`` for the one of that id; the ids of those that ended."""
    query = delete(api_tokens).where(api_tokens.c.owner == owner, api_tokens.c.session).returning(api_tokens.c.id)
    return list(connection.scalars(query if but is None else query.where(api_tokens.c.id != but)))


def valid(connection: Connection, owner: str, at: datetime) -> int:
    """How many tokens of an owner, sign-ins aside, are valid."""
    lasting = or_(api_tokens.c.expires_at.is_(None), api_tokens.c.expires_at > at)
    query = select(func.count()).where(
        api_tokens.c.owner == owner, api_tokens.c.revoked_at.is_(None), api_tokens.c.session.is_(False), lasting
    )
    return int(connection.execute(query).scalar() or 0)


def drop_old_sign_ins(connection: Connection, owner: str, at: datetime, *, keep: int | None = None) -> list[str]:
    """Forget the sign-ins of a person that have run out or been revoked, and the oldest beyond ``keep`` less one.

    Returns the ids of those that ended.
    """
    over = or_(api_tokens.c.expires_at <= at, api_tokens.c.revoked_at.is_not(None))
    dropped = delete(api_tokens).where(api_tokens.c.owner == owner, api_tokens.c.session).returning(api_tokens.c.id)
    ended = list(connection.scalars(dropped.where(over)))
    if keep is not None:
        mine = select(api_tokens.c.id).where(api_tokens.c.owner == owner, api_tokens.c.session)
        oldest = mine.order_by(api_tokens.c.created_at.desc(), api_tokens.c.id).limit(-1).offset(keep - 1)
        ended += connection.scalars(dropped.where(api_tokens.c.id.in_(oldest)))
    return ended

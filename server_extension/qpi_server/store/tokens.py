"""Rows of API tokens: of people, services and drivers, and of sign-ins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select, update

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
    row = connection.execute(query).first()
    return None if row is None else (_row(row), row.qpu)


def find(connection: Connection, token_id: str) -> TokenRow | None:
    """The token of that id, revoked or not."""
    row = connection.execute(select(api_tokens).where(api_tokens.c.id == token_id)).first()
    return None if row is None else _row(row)


def of_owner(connection: Connection, owner: str, *, limit: int) -> list[TokenRow]:
    """Tokens that are not revoked, newest first."""
    query = (
        select(api_tokens)
        .where(api_tokens.c.owner == owner, api_tokens.c.revoked_at.is_(None))
        .order_by(api_tokens.c.created_at.desc(), api_tokens.c.id)
        .limit(limit)
    )
    return [_row(row) for row in connection.execute(query)]


def change(connection: Connection, token_id: str, *, name: str, expires_at: datetime | None) -> None:
    """Rename a token and move its end."""
    values = {"name": name, "expires_at": expires_at}
    connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(**values))


def touch(connection: Connection, token_id: str, at: datetime) -> None:
    """Note when a token was used."""
    connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(last_used_at=at))


def revoke(connection: Connection, token_id: str, at: datetime) -> None:
    """End a token."""
    connection.execute(update(api_tokens).where(api_tokens.c.id == token_id).values(revoked_at=at))


def revoke_all(connection: Connection, owner: str, at: datetime) -> None:
    """End every token of an owner, a person or a driver."""
    open_ones = (api_tokens.c.owner == owner, api_tokens.c.revoked_at.is_(None))
    connection.execute(update(api_tokens).where(*open_ones).values(revoked_at=at))


def end_sessions(connection: Connection, owner: str, *, but: str | None = None) -> None:
    """Forget a person's sign-ins, ``but`` for the one of that id."""
    query = delete(api_tokens).where(api_tokens.c.owner == owner, api_tokens.c.session)
    connection.execute(query if but is None else query.where(api_tokens.c.id != but))


def drop_old_sessions(connection: Connection, owner: str, at: datetime) -> None:
    """Forget the sign-ins of a person that have run out or been revoked."""
    over = or_(api_tokens.c.expires_at <= at, api_tokens.c.revoked_at.is_not(None))
    connection.execute(delete(api_tokens).where(api_tokens.c.owner == owner, api_tokens.c.session, over))

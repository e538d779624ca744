"""What use cases of people share: what they refuse, and whom they tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from sqlalchemy import Connection

from qpi_jupyter.core import NotFound, Rejected, existing
from qpi_jupyter.wire.events import (
    GroupChanged,
    GroupData,
    PersonChanged,
    PersonData,
    TokenChanged,
    TokenData,
)
from qpi_server.service.base import MANAGERS, Tx
from qpi_server.store import UserRow, people, tokens

GroupAction = Literal["created", "changed", "deleted"]
TokenAction = Literal["created", "changed", "revoked"]


def the_user(connection: Connection, name: str) -> UserRow:
    """The person's row.

    Raises
    ------
    NotFound
        there is none.
    """
    return existing(people.find(connection, name), NotFound(f"There is no user named {name!r}.", code="unknown_user"))


def require_people(connection: Connection, names: Collection[str], field: str) -> None:
    """Refuse names that nobody has."""
    if missing := people.unknown(connection, names):
        raise Rejected(
            f"There is no user named {', '.join(missing)}. POST users adds a person before their first visit.",
            code="unknown_user", field=field, names=missing,
        )  # fmt: skip


def require_groups(connection: Connection, names: Collection[str], field: str) -> None:
    """Refuse groups that are not there."""
    if missing := people.unknown_groups(connection, names):
        raise Rejected(
            f"There is no group called {', '.join(missing)}.", code="unknown_group", field=field, names=missing
        )


def tell_people(tx: Tx, names: Iterable[str], by: str) -> None:
    """Tell each of these people that what the lab knows of them has changed."""
    for name in sorted(names):
        tx.event(PersonChanged(at=tx.at, data=PersonData(name=name, by=by)), owner=name)


def tell_group(tx: Tx, name: str, action: GroupAction, by: str) -> None:
    """Tell managers of a group."""
    tx.event(GroupChanged(at=tx.at, data=GroupData(name=name, action=action, by=by)), owner=MANAGERS)


def tell_tokens(tx: Tx, owner: str, ids: Iterable[str], action: TokenAction, by: str) -> None:
    """Tell whose they are of tokens."""
    for token_id in ids:
        tx.event(TokenChanged(at=tx.at, data=TokenData(id=token_id, action=action, by=by)), owner=owner)


def end_tokens(tx: Tx, owner: str, by: str) -> None:
    """End every token of a person or a driver."""
    tell_tokens(tx, owner, tokens.revoke_all(tx.connection, owner, tx.at), "revoked", by)


def set_groups(tx: Tx, person: str, wanted: Iterable[str], *, source: str, by: str) -> None:
    """Make ``wanted`` the groups that ``source`` puts a person into."""
    before = people.memberships_of(tx.connection, person)
    people.set_groups(tx.connection, person, wanted, source=source)
    for name in sorted(before.keys() ^ people.memberships_of(tx.connection, person).keys()):
        tell_group(tx, name, "changed", by)

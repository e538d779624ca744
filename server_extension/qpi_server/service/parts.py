"""What the parts of `PeopleService` share."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import NotFound, Rejected
from qpi_jupyter.wire.events import EventName
from qpi_server.store import audit, facts, people
from qpi_server.store.audit import AuditRow
from qpi_server.store.facts import EventRow
from qpi_server.store.people import UserRow

from .door import Door
from .passwords import Passwords
from .room import Room
from .tokens import TokenService


class Part:
    """One theme of `PeopleService`."""

    def __init__(self, room: Room, door: Door, tokens: TokenService) -> None:
        self._room, self._door, self._tokens = room, door, tokens
        self._passwords = Passwords(room)


def the_user(connection: Connection, name: str) -> UserRow:
    """The person's row.

    Raises
    ------
    NotFound
        there is none.
    """
    row = people.find(connection, name)
    if row is None:
        raise NotFound(f"There is nobody called {name!r} here.", code="unknown_user")
    return row


def require_people(connection: Connection, names: Collection[str], field: str) -> None:
    """Refuse names that nobody has."""
    if missing := people.unknown(connection, names):
        raise Rejected(
            f"The lab knows nobody called {', '.join(missing)}. POST users makes somebody before their first visit.",
            code="unknown_user", field=field, names=missing,
        )  # fmt: skip


def require_groups(connection: Connection, names: Collection[str], field: str) -> None:
    """Refuse groups that are not there."""
    if missing := people.unknown_groups(connection, names):
        raise Rejected(
            f"There is no group called {', '.join(missing)}.", code="unknown_group", field=field, names=missing
        )


def record(connection: Connection, principal: Principal, action: str, subject: str, at: datetime, **data: Any) -> None:
    """Write a deed into the managers' log (Any: JSON)."""
    row = AuditRow(at=at, who=principal.name, action=action, subject=subject, data=data)
    audit.add(connection, row)


def tell(connection: Connection, names: Collection[str], by: Principal, at: datetime) -> None:
    """Write for each of these people that what the lab knows of them has changed."""
    for name in sorted(names):
        data = {"name": name, "by": by.name}
        facts.add_event(connection, EventRow(kind=EventName.PERSON_CHANGED, at=at, owner=name, data=data))

"""Finds what is changed of people and their tokens behind the back of who remembers them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from sqlalchemy import Connection, text

from qpi_server.service import Lab
from qpi_server.service.base import Tx
from qpi_server.store import facts

T = TypeVar("T")
_TOLD = ("person.changed", "token.changed")
_OLD, _NEW = (
    f"json_array({', '.join(f'{row}.{name}' for name in ('source', 'source_roles', 'roles', 'suspended_at'))})"
    for row in ("OLD", "NEW")
)
_COUNTS = {
    "UPDATE ON users": f"(OLD.name, {_OLD}, -1), (NEW.name, {_NEW}, 1)",
    "DELETE ON users": "(OLD.name, 'user', 1)",
    "INSERT ON memberships": """(NEW.person, NEW."group" || NEW.source, 1)""",
    "DELETE ON memberships": """(OLD.person, OLD."group" || OLD.source, -1)""",
    "UPDATE OF expires_at, revoked_at, roles, scopes, owner ON api_tokens": "(OLD.owner, OLD.id, 1)",
    "DELETE ON api_tokens": "(OLD.owner, OLD.id, 1)",
}
"""What an authenticator may remember: whose it is, which of it, and what takes each other back."""
_UNITS = (
    "CREATE TEMP TABLE touched (owner TEXT, what TEXT, change INT)",
    "CREATE TEMP TABLE fresh (owner TEXT)",
    "CREATE TEMP TRIGGER new_user AFTER INSERT ON users BEGIN INSERT INTO fresh VALUES (NEW.name); END",
    *(
        f"CREATE TEMP TRIGGER watch_{number} AFTER {what} BEGIN INSERT INTO touched VALUES {values}; END"
        for number, (what, values) in enumerate(_COUNTS.items())
    ),
)


async def watch(lab: Lab) -> None:
    """From now on a unit fails that changes what somebody may, or a token, and does not tell the one whose it is.

    The rows are looked at by triggers of the writer's connection, so that it does not matter who changes them and how.
    """
    write = lab.context.db.write

    def watched(unit: Callable[[Tx], T], *, at: datetime | None = None) -> asyncio.Future[T]:
        def run(tx: Tx) -> T:
            before = facts.newest_event(tx.connection)
            value = unit(tx)
            rows, _, _ = facts.events_after(tx.connection, before, 10_000, reader=None)
            untold = _touched(tx.connection) - {row.owner for row in rows if row.kind in _TOLD}
            assert not untold, f"changed, and not told: {', '.join(untold)}"
            return value

        return write(run, at=at)

    await lab.context.db.store.write(lambda connection: [connection.execute(text(unit)) for unit in _UNITS])
    lab.context.db.write = watched  # type: ignore[method-assign]


def _touched(connection: Connection) -> set[str]:
    changed = "SELECT owner FROM touched GROUP BY owner, what HAVING sum(change) <> 0 EXCEPT SELECT owner FROM fresh"
    found = set(connection.scalars(text(changed)))
    connection.execute(text("DELETE FROM touched"))
    connection.execute(text("DELETE FROM fresh"))
    return found

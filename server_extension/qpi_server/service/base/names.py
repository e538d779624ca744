"""Names of new things."""

from __future__ import annotations

from sqlalchemy import Connection

from qpi_jupyter.core import Conflict
from qpi_server.store import Named, alike


def require_distinct(connection: Connection, kind: Named, name: str) -> None:
    """Refuse a name that differs from another one in case alone.

    Raises
    ------
    Conflict
        with that other name.
    """
    if (other := alike(connection, kind, name)) is not None:
        raise Conflict(
            f"There is, or was, a {kind} called {other}. {name} differs from it in case alone: choose another name.",
            code="name_taken", field="name",
        )  # fmt: skip

"""Names that people would mix up."""

from __future__ import annotations

from typing import Literal

from sqlalchemy import Connection, func, select

from .schema import drivers, groups, qpus

_COLUMNS = {"QPU": qpus.c.name, "driver": drivers.c.name, "group": groups.c.name}
Named = Literal["QPU", "driver", "group"]


def alike(connection: Connection, kind: Named, name: str) -> str | None:
    """One of these that there is, or was, whose name differs from this one in nothing but case."""
    column = _COLUMNS[kind]
    query = select(column).where(func.lower(column) == name.lower(), column != name).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found

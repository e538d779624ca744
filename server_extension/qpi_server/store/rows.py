"""Rows as values: one that cannot be read keeps nobody from the others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, Select

from qpi_jupyter.core import Faulted

log = logging.getLogger(__name__)
SPARE = 20
"""So many damaged rows are passed over in one page."""
T = TypeVar("T")
Build = Callable[[Row[Any]], T]


class Unreadable:
    """Stands where JSON was expected and something else is stored."""

    def __init__(self, stored: object) -> None:
        self._stored = stored

    def __repr__(self) -> str:
        return f"<not JSON: {self._stored!r:.60}>"


def read_json(stored: Any) -> Any:  # Any: whatever a column holds, and whatever JSON says
    """What a JSON column holds."""
    try:
        return msgspec.json.decode(stored)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
        return Unreadable(stored)


JSON_COLUMNS: Mapping[str, Callable[[Any], Any]] = {
    "json_serializer": lambda value: msgspec.json.encode(value).decode(),
    "json_deserializer": read_json,
}
"""What every engine of a lab's rows is made with."""


def whole(kind: Callable[..., T]) -> Build[T]:
    """Makes a ``kind`` of a row with its fields as columns."""
    return lambda row: kind(**readable(row)._asdict())


def readable(row: Row[Any]) -> Row[Any]:
    """The row, unless some of it is not the JSON that it should be (ValueError)."""
    if Unreadable in map(type, row):
        raise ValueError("a field is not JSON")
    return row


def each(rows: Iterable[Row[Any]], build: Build[T]) -> Iterator[T]:
    """Every row as ``build`` makes it; a damaged one is left out, and logged."""
    for row in rows:
        try:
            yield _built(row, build)
        except Faulted as error:
            _report(f"{error.message} ({error.__cause__})")


@lru_cache(maxsize=1000)  # a list that is read every second says it once
def _report(message: str) -> None:
    log.error("%s", message)


def some(connection: Connection, query: Select[Any], build: Build[T], limit: int) -> list[T]:
    """The first ``limit`` rows that can be read: a damaged one does not make a page look like the last."""
    return list(islice(each(connection.execute(query.limit(limit + SPARE)), build), limit))


def first(connection: Connection, query: Select[Any], build: Build[T]) -> T | None:
    """The first row as ``build`` makes it; as `one`."""
    return one(connection.execute(query).first(), build)


def equal(wanted: Mapping[Column[Any], Any]) -> Iterator[ColumnElement[bool]]:
    """That each of these columns has its value; None: it may have any."""
    return (column == value for column, value in wanted.items() if value is not None)


def one(row: Row[Any] | None, build: Build[T]) -> T | None:
    """The row as ``build`` makes it; None for none.

    Raises
    ------
    Faulted
        it is damaged.
    """
    return None if row is None else _built(row, build)


def _built(row: Row[Any], build: Build[T]) -> T:
    try:
        return build(row)
    except (ValueError, TypeError, KeyError, AttributeError, msgspec.MsgspecError) as error:
        raise Faulted(
            f"A row of the lab's database is damaged ({_named(row)}). The other rows are not affected; the "
            "manual says how to mend it, under Backup and restore.",
            code="damaged_row",
        ) from error


def _named(row: Row[Any]) -> str:
    """Enough of a row to find it by."""
    fields = row._asdict()
    names = [name for name in ("id", "seq", "name", "job_id") if name in fields][:2] or list(fields)[:2]
    return ", ".join(f"{name} {fields[name]!r:.60}" for name in names)

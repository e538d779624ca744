"""Prepared statements: what every job needs is compiled once, and run by the database's driver itself."""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Delete, Dialect, Insert, Select, Update, literal_column
from sqlalchemy.sql.schema import ScalarElementColumnDefault

Process = Callable[[Any], Any] | None
"""Between a value and what the driver takes or brings; Any: each column has its own kind."""


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    given: int
    """How many values a call brings."""
    constants: Mapping[str, Any]
    parameters: tuple[tuple[str, Process], ...]
    row: Callable[[Any], Any]
    columns: tuple[tuple[int, Callable[[Any], Any]], ...]
    """Those that do not come as the driver brings them."""


class Prepared:
    """A statement of SQLAlchemy Core. With SQLite it is compiled at its first call and then run by the driver itself;
    any other database has SQLAlchemy's way.

    It has one set of parameters, and lists in it are written out (`written`). The columns' types hold as they do
    elsewhere. With SQLite, what fails raises the driver's own error.
    """

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        self._statement = statement
        self._compiled: _Compiled | None = None

    def first(self, connection: Connection, **values: Any) -> Any:
        """The first row, or None; Any: its fields are the statement's columns."""
        if (cursor := self._execute(connection, values)) is None:
            return connection.execute(self._statement, values).first()
        found = cursor.fetchone()
        return None if found is None else self._row(found)

    def each(self, connection: Connection, **values: Any) -> Iterator[Any]:
        """Every row."""
        if (cursor := self._execute(connection, values)) is None:
            return iter(connection.execute(self._statement, values))
        return map(self._row, cursor)

    def scalar(self, connection: Connection, **values: Any) -> Any:
        """The first column of the first row, None without one."""
        row = self.first(connection, **values)
        return None if row is None else row[0]

    def run(self, connection: Connection, **values: Any) -> int:
        """How many rows it changed."""
        if (cursor := self._execute(connection, values)) is None:
            return connection.execute(self._statement, values).rowcount
        return cursor.rowcount

    def _execute(self, connection: Connection, values: dict[str, Any]) -> sqlite3.Cursor | None:
        """Run it; None where that is for SQLAlchemy to do."""
        driver = connection.connection.dbapi_connection
        if not isinstance(driver, sqlite3.Connection):
            return None
        compiled = self._compiled
        if compiled is None:
            compiled = self._compiled = _compile(self._statement, connection.dialect, values)
        if len(values) != compiled.given:
            raise TypeError(f"{compiled.sql} takes {compiled.given} values, not {len(values)}")
        if compiled.constants:
            values |= compiled.constants
        bound = [values[name] if process is None else process(values[name]) for name, process in compiled.parameters]
        return driver.execute(compiled.sql, bound)

    def _row(self, found: Sequence[Any]) -> Any:
        compiled = self._compiled
        assert compiled is not None, "it was run"
        if compiled.columns:
            found = list(found)
            for index, process in compiled.columns:
                found[index] = process(found[index])
        return compiled.row(found)


def written(constants: Iterable[str]) -> list[ColumnElement[str]]:
    """Words of our own for ``in_``, as they stand in the statement."""
    return [literal_column(f"'{constant}'") for constant in constants]


def _compile(statement: Select[Any] | Insert | Update | Delete, dialect: Dialect, values: dict[str, Any]) -> _Compiled:
    compiled = statement.compile(dialect=dialect, column_keys=None if isinstance(statement, Select) else [*values])
    defaults = {
        column.key: column.default.arg
        for column in compiled.insert_prefetch
        if isinstance(column.default, ScalarElementColumnDefault)
    }
    names, columns = compiled.positiontup or [], list(statement.exported_columns)
    binders = [compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names]
    readers = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    kind = namedtuple("Row", [str(column.key) for column in columns], rename=True)  # type: ignore[misc]  # made at run time
    return _Compiled(
        sql=compiled.string,
        given=len(values),
        constants={name: value for name, value in compiled.params.items() if name not in values} | defaults,
        parameters=tuple(zip(names, binders, strict=True)),
        row=partial(tuple.__new__, kind),
        columns=tuple((index, reader) for index, reader in enumerate(readers) if reader is not None),
    )

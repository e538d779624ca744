"""A lab's rows from one database into another: what makes a backup of any of them a file that any of them takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, insert, select

from .engine import bring_up, immediate, make_engine
from .schema import metadata

_AT_ONCE = 500
"""Rows in memory."""


def copy_rows(source: Connection, target: Connection) -> None:
    """Every row of ``source`` into the empty tables of ``target``, in the transaction that it is in."""
    for table in metadata.sorted_tables:
        found = source.execution_options(stream_results=True).execute(select(table))
        for rows in found.mappings().partitions(_AT_ONCE):
            target.execute(insert(table), [dict(row) for row in rows])


def write_file(source: Connection, target: Path) -> None:
    """Everything that ``source`` sees, as a new SQLite file."""
    with opened_file(target) as connection:
        with immediate(connection):
            copy_rows(source, connection)
        connection.exec_driver_sql("PRAGMA journal_mode = DELETE")  # one file, not three


@contextmanager
def opened_file(path: Path) -> Iterator[Connection]:
    """A lab's SQLite file, made or brought up to date if need be."""
    engine = make_engine(path)
    with engine.connect() as connection:
        bring_up(connection, path.parent)
        yield connection
    engine.dispose()

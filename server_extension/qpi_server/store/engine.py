"""Connections to SQLite's file, and which file that is; its schema."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from qpi_jupyter._version import __version__

from .migrate import SOMEBODY, migrate, schema_version
from .presence import require_unused
from .rows import JSON_COLUMNS

FileIdentity = tuple[int, int]


def make_engine(path: Path) -> Engine:
    """An engine whose connections never begin or commit on their own."""

    def connect() -> sqlite3.Connection:
        # isolation_level None: the driver never begins or commits on its own.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = 1",
            "busy_timeout = 5000",
            "cache_size = -16000",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        return connection

    return create_engine(
        "sqlite://",
        creator=connect,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        **JSON_COLUMNS,
    )


@contextmanager
def immediate(connection: Connection) -> Iterator[None]:
    """A transaction that writes, on a connection of `make_engine`."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        with suppress(DBAPIError):  # where the disk failed, SQLite has rolled back already
            connection.exec_driver_sql("ROLLBACK")
        raise


def bring_up(connection: Connection, folder: Path) -> None:
    """Make the tables of a lab in ``folder``, or bring them up to date; raises as `migrate`.

    Raises
    ------
    Unavailable
        it is empty beside the data of a lab.
    """
    if schema_version(connection) == 0:
        require_unused(folder)
    if migrate(connection, immediate, writer=_writer(connection)):
        connection.exec_driver_sql(f"PRAGMA user_version = {_packed(__version__)}")


def _writer(connection: Connection) -> str:
    """Which version brought the database to its schema, as far as that is known."""
    packed = int(connection.exec_driver_sql("PRAGMA user_version").scalar() or 0)
    if packed <= _packed(__version__):
        return SOMEBODY
    return f"qpi-jupyter {packed // 1_000_000}.{packed // 1000 % 1000}.{packed % 1000}"


def _packed(version: str) -> int:
    """The version as the whole number that the database keeps beside its schema."""
    major, minor, patch = (int(part) for part in re.findall(r"\d+", version + ".0.0")[:3])
    return (major * 1000 + minor) * 1000 + patch


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def log_of(path: Path) -> Path:
    """The write-ahead log beside a database."""
    return path.with_name(f"{path.name}-wal")


def make_private(path: Path) -> None:
    """Let only whoever runs the lab read a database; what SQLite makes beside it is as private as the file itself."""
    with suppress(OSError):  # SQLite says what is wrong with the file
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for file in (path, log_of(path), path.with_name(f"{path.name}-shm")):
            if file.exists() and (mode := file.stat().st_mode) & 0o077:
                file.chmod(mode & 0o700)


def identity(path: Path) -> FileIdentity | None:
    """Which file lies at ``path``."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""Connections to SQLite's file, and which file that is."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool

from .rows import read_json

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
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=read_json,
    )


def driver_of(connection: Connection) -> sqlite3.Connection:
    """The driver's own connection."""
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def log_of(path: Path) -> Path:
    """The write-ahead log beside a database."""
    return path.with_name(f"{path.name}-wal")


def identity(path: Path) -> FileIdentity | None:
    """Which file lies at ``path``."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino

"""SQLite's file in the lab's own folder: what is asked of it whether or not somebody has it open."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine

from qpi_jupyter.core import NotFound, Rejected

from .backend import Backend, OnCommit
from .engine import make_private
from .filesystem import require_local
from .folder_lock import FolderLock
from .presence import DATABASE, DATABASE_FILES, require_database, stamp
from .sqlite import SqliteStore

LOCKED_S = 30.0
"""How long another program may keep the database locked while it is copied."""


class SqliteFile(Backend):
    """``sqlite://``, and nothing behind it: the folder is a setting of its own."""

    files = DATABASE_FILES

    def __init__(self, url: URL, lab_dir: Path) -> None:
        super().__init__(url, lab_dir)
        self.path = lab_dir / DATABASE
        if url.drivername != "sqlite" or url.host or url.database or url.query:
            raise Rejected(
                f"This database is always the file {DATABASE} in the lab's folder: leave db_url out, and set lab_dir "
                "(QPI_LAB_DIR) to the folder.",
                code="bad_store_address", field="db_url",
            )  # fmt: skip

    def prepare(self) -> None:
        super().prepare()
        require_local(self.lab_dir)

    def lock(self) -> FolderLock:
        return FolderLock(self.lab_dir)

    def present(self) -> bool:
        return self.path.exists()

    def stamp(self) -> object:
        return stamp(self.lab_dir)

    def open(self, on_commit: OnCommit) -> SqliteStore:
        require_database(self.lab_dir)
        return SqliteStore(self.path, on_commit=on_commit)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        if not self.path.is_file():
            raise NotFound(f"There is no lab in {self.lab_dir}.")
        engine = create_engine(URL.create("sqlite", database=str(self.path)))
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA query_only = 1")
                connection.exec_driver_sql("BEGIN")
                yield connection
        finally:
            engine.dispose()

    def copy(self, target: Path) -> None:
        """SQLite's own way: what others write meanwhile does not disturb it, nor it them."""
        make_private(target)
        with closing(sqlite3.connect(self.path, timeout=LOCKED_S)) as live, closing(sqlite3.connect(target)) as copy:
            live.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")

    def put(self, copy: Path) -> None:
        copy.rename(self.path)

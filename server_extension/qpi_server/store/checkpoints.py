"""Checkpoints beside the writer: by itself, SQLite makes one of them part of every fortieth commit or so."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from .engine import driver_of

log = logging.getLogger(__name__)
ROWS = 500
"""After so many changed rows (about a thousand pages) what is committed is moved into the database file."""
MOST_PAGES = 16_000
"""A log of so many pages (64 MB) is moved by the writer itself: without a pause, a log never begins anew."""


class Checkpoints:
    """Moves what is committed from the write-ahead log into the database file, in a thread of its own.

    Parameters
    ----------
    engine
        the database.
    moved
        says whether its files were removed or replaced: those that are there now are not touched.
    """

    def __init__(self, engine: Engine, moved: Callable[[], object]) -> None:
        self._engine, self._moved = engine, moved
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="store-checkpoint")
        self._work: Future[None] | None = None
        self._connection: Connection | None = None
        self._rows = 0

    @staticmethod
    def leave_to_others(connection: Connection) -> None:
        """Have the writer's connection make none, as long as the log does not grow too long."""
        driver_of(connection).execute(f"PRAGMA wal_autocheckpoint = {MOST_PAGES}").close()

    def committed(self, rows: int) -> None:
        """The writer has committed so many changed rows."""
        self._rows += rows
        if self._rows >= ROWS and (self._work is None or self._work.done()):
            self._rows = 0
            try:
                self._work = self._worker.submit(self.checkpoint)
            except RuntimeError as error:  # the machine starts no more threads: what is committed is committed
                log.debug("no checkpoint: %s", error)

    def checkpoint(self) -> None:
        """Make one; where that fails, the next one is a new try."""
        try:
            if self._connection is None and not self._moved():
                self._connection = self._engine.connect()
            if self._connection is not None:
                driver_of(self._connection).execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        except (DBAPIError, sqlite3.Error) as error:  # the writer's commits tell what the trouble is
            log.debug("no checkpoint: %s", error)
            self._forget()
        except Exception:
            log.exception("no checkpoint")

    def close(self) -> None:
        """Wait for the one that is under way; there are no more."""
        self._worker.shutdown()
        self._forget()

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(DBAPIError, sqlite3.Error):
                connection.close()

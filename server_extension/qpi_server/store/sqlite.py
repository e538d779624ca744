"""SQLite with group commit: one writer thread, one fsync for everything that waits when it wakes."""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from qpi_jupyter.core.errors import QpiError, Unavailable

from .database import Unit
from .migrate import migrate

log = logging.getLogger(__name__)
T = TypeVar("T")
READERS = 2
_STORE_FAILED = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_NOMEM})


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A unit and who waits for it; ``Any``: each unit has its own kind of value."""

    unit: Unit[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class _Outcome:
    waiting: _Waiting
    value: Any = None
    error: BaseException | None = None


class SqliteStore:
    """The store of a lab that has one server.

    Parameters
    ----------
    path
        the database file; made, or brought up to date, if need be.
    on_commit
        called in the writer thread after each commit with the number of units and the seconds that it took.
    """

    def __init__(self, path: Path, *, on_commit: Callable[[int, float], None] | None = None) -> None:
        self.path = path
        self._on_commit = on_commit or (lambda units, seconds: None)
        self._engine = _engine(path)
        with self._engine.connect() as connection:
            migrate(connection, path)
        self._pending: list[_Waiting] = []
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._closed = False
        self._local = threading.local()
        self._reading: list[Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        # A daemon: a process whose loop is gone must be able to end. Nothing is acknowledged before its commit, so
        # that cutting a commit short loses nothing that anybody was told of.
        self._writer = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._writer.start()

    def write(self, unit: Unit[T]) -> asyncio.Future[T]:
        """See `Store.write`."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._closed:
            future.set_exception(Unavailable("The lab is closing.", code="closing"))
            return future
        # Everything that asks in the same turn of the loop travels together: many requests that arrive at once
        # then share a commit, and a single one loses nothing.
        if not self._pending:
            loop.call_soon(self._flush)
        self._pending.append(_Waiting(unit, future, loop))
        return future

    async def read(self, query: Unit[T]) -> T:
        """See `Store.read`."""
        self._require_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, query)

    def glance(self, query: Unit[T]) -> T:
        """See `Store.glance`."""
        self._require_open()
        return self._read(query)

    async def close(self) -> None:
        """See `Store.close`."""
        if not self._closed:
            self._flush()
            self._closed = True
            self._queue.put(None)
            await asyncio.to_thread(self._stop)

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("The lab is closing.", code="closing")

    def _flush(self) -> None:
        if self._pending:
            self._queue.put(self._pending)
            self._pending = []

    def _stop(self) -> None:
        self._writer.join()
        self._readers.shutdown()
        for connection in self._reading:
            connection.close()
        self._engine.dispose()

    def _read(self, query: Unit[T]) -> T:
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._engine.connect()
            _driver(connection).execute("PRAGMA query_only = 1")
            self._reading.append(connection)
        # One read transaction, so that several statements see one state of the database.
        driver = _driver(connection)
        driver.execute("BEGIN")
        try:
            return query(connection)
        finally:
            driver.execute("ROLLBACK")

    def _run(self) -> None:
        with self._engine.connect() as connection:
            while (batch := self._take()) is not None:
                self._commit(connection, batch)
            # Leave one file behind, not three.
            _driver(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _take(self) -> list[_Waiting] | None:
        """Everything that waits; blocks until there is something. None: the store was closed."""
        batch = self._queue.get()
        while batch is not None:
            try:
                more = self._queue.get_nowait()
            except queue.Empty:
                break
            if more is None:
                self._queue.put(None)
                break
            batch += more
        return batch

    def _commit(self, connection: Connection, batch: Sequence[_Waiting]) -> None:
        """Run ``batch`` in one transaction. Where the disk fails it, each unit gets a transaction of its own."""
        begun = time.perf_counter()
        try:
            outcomes = _transact(connection, batch)
        except DBAPIError as error:
            if len(batch) > 1:
                for waiting in batch:
                    self._commit(connection, [waiting])
                return
            outcomes = [_Outcome(batch[0], error=_unavailable(error))]
        except BaseException as error:
            log.exception("the store's writer")
            outcomes = [_Outcome(waiting, error=error) for waiting in batch]
        self._on_commit(len(batch), time.perf_counter() - begun)
        for loop in {outcome.waiting.loop for outcome in outcomes}:
            _tell(loop, [outcome for outcome in outcomes if outcome.waiting.loop is loop])


def _engine(path: Path) -> Engine:
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
        json_deserializer=msgspec.json.decode,
    )


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _transact(connection: Connection, batch: Sequence[_Waiting]) -> list[_Outcome]:
    """Every unit in a savepoint of its own, all in one commit.

    Raises
    ------
    DBAPIError
        the database failed as a whole: nothing of the batch is stored.
    """
    driver = _driver(connection)
    try:
        driver.execute("BEGIN IMMEDIATE")
        outcomes = [_attempt(connection, driver, waiting) for waiting in batch]
        driver.execute("COMMIT")
        return outcomes
    except sqlite3.Error as error:
        raise DBAPIError("COMMIT", None, error) from error
    finally:
        if driver.in_transaction:
            driver.execute("ROLLBACK")


def _attempt(connection: Connection, driver: sqlite3.Connection, waiting: _Waiting) -> _Outcome:
    driver.execute("SAVEPOINT unit")
    try:
        value = waiting.unit(connection)
    except Exception as error:
        if isinstance(error, DBAPIError) and _failed(error):
            raise
        driver.execute("ROLLBACK TO unit")
        driver.execute("RELEASE unit")
        return _Outcome(waiting, error=error)
    driver.execute("RELEASE unit")
    return _Outcome(waiting, value=value)


def _code(error: DBAPIError) -> int:
    return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF


def _failed(error: DBAPIError) -> bool:
    """Whether the database itself failed, not the statement."""
    return _code(error) in _STORE_FAILED


def _unavailable(error: DBAPIError) -> QpiError:
    if _code(error) == sqlite3.SQLITE_FULL:
        message, code = "The lab's disk is full: nothing was stored. Make room and try again.", "disk_full"
    else:
        message, code = f"The lab's database cannot be written: {error.orig}. Nothing was stored.", "store_failed"
    failure = Unavailable(message, code=code)
    failure.__cause__ = error
    return failure


def _tell(loop: asyncio.AbstractEventLoop, outcomes: Sequence[_Outcome]) -> None:
    def resolve() -> None:
        for outcome in outcomes:
            future = outcome.waiting.future
            if future.done():
                continue
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.value)

    try:
        loop.call_soon_threadsafe(resolve)
    except RuntimeError:
        log.debug("the loop that waited for %d units is closed", len(outcomes))

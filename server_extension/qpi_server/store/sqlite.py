"""SQLite with group commit: one writer thread, one fsync for everything that waits when it wakes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError, StatementError

from qpi_jupyter.core import QpiError, Unavailable

from .checkpoints import Checkpoints
from .database import TooCostly, Unit
from .engine import FileIdentity, bring_up, driver_of, identity, log_of, make_engine, make_private
from .faults import DAMAGED, FAILED, FULL, GONE, fault, own_error, storage_error

log = logging.getLogger(__name__)
T = TypeVar("T")
READERS = 2
SEARCHERS = 2
"""Threads of `SqliteStore.search`, so that one slow search leaves a place for others."""
_LOOK_EVERY = 20_000
"""Steps of SQLite's machine (some ms) between two looks at whether a search should stop."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A unit and who waits for it; ``Any``: each unit has its own kind of value."""

    unit: Unit[Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    committed: Callable[[], None] | None


@dataclass(frozen=True, slots=True)
class _Outcome:
    waiting: _Waiting
    value: Any = None
    error: BaseException | None = None


class _Patience:
    """How long a search may go on; asked by SQLite in between, ended by whoever waits no more."""

    def __init__(self, budget_s: float) -> None:
        self._budget_s, self._until, self._ended = budget_s, 0.0, False

    def begin(self) -> None:
        self._until = time.monotonic() + self._budget_s

    def end(self) -> None:
        self._ended = True

    def over(self) -> bool:
        return self._ended or time.monotonic() > self._until


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
        self.trouble: QpiError | None = None
        self.stored_at = -math.inf
        self.on_trouble: Callable[[QpiError], None] = lambda trouble: None
        make_private(path)
        self._engine = make_engine(path)
        with self._engine.connect() as connection:
            bring_up(connection, path.parent)
        self._file, self._log_path = identity(path), log_of(path)
        self._log: FileIdentity | None = None
        """Which write-ahead log the writer's connection has."""
        self._writing: Connection | None = None
        self._checkpoints = Checkpoints(self._engine, self._moved)
        self._pending: list[_Waiting] = []
        self._queue: queue.SimpleQueue[list[_Waiting] | None] = queue.SimpleQueue()
        self._closed = False
        self._local = threading.local()
        event.listen(self._engine, "before_cursor_execute", self._look)
        self._reading: list[Connection] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="store-reader")
        self._searchers = ThreadPoolExecutor(SEARCHERS, thread_name_prefix="store-searcher")
        # A daemon: a process whose loop is gone must be able to end. Nothing is acknowledged before its commit, so
        # that cutting a commit short loses nothing that anybody was told of.
        self._writer = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._writer.start()

    def write(self, unit: Unit[T], *, committed: Callable[[], None] | None = None) -> asyncio.Future[T]:
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
        self._pending.append(_Waiting(unit, future, loop, committed))
        return future

    async def read(self, query: Unit[T]) -> T:
        """See `Store.read`."""
        self._require_open()
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, query)

    async def search(self, query: Unit[T], budget_s: float) -> T:
        """See `Store.search`."""
        self._require_open()
        patience = _Patience(budget_s)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._searchers, self._search, query, patience)
        except asyncio.CancelledError:
            patience.end()
            raise

    def glance(self, query: Unit[T]) -> T:
        """See `Store.glance`."""
        self._require_open()
        return self._read(query)

    async def probe(self) -> None:
        """See `Store.probe`."""

        def same(connection: Connection) -> None:
            version = connection.exec_driver_sql("PRAGMA user_version").scalar()
            connection.exec_driver_sql(f"PRAGMA user_version = {version}")

        await self.write(same)
        self._stored()

    async def check(self) -> str:
        """See `Store.check`."""
        connection = await asyncio.to_thread(_open_to_read, self.path)
        looking = asyncio.ensure_future(asyncio.to_thread(_look_through, connection))
        try:
            return await asyncio.shield(looking)
        except asyncio.CancelledError:
            with contextlib.suppress(sqlite3.ProgrammingError):  # it has just ended by itself
                connection.interrupt()
            await asyncio.wait([looking])
            raise

    def look(self) -> QpiError | None:
        """See `Store.look`."""
        if (name := self._moved()) is not None:
            self._suffer(fault(GONE, name))
        return self.trouble

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
        self._checkpoints.close()
        self._readers.shutdown()
        self._searchers.shutdown()
        for connection in self._reading:
            connection.close()
        self._engine.dispose()

    def _search(self, query: Unit[T], patience: _Patience) -> T:
        driver = driver_of(self._reader())
        patience.begin()
        driver.set_progress_handler(patience.over, _LOOK_EVERY)
        self._local.patience = patience
        try:
            return self._read(query)
        except (DBAPIError, sqlite3.Error) as error:
            if _code(error) == sqlite3.SQLITE_INTERRUPT:
                raise TooCostly from error
            raise
        finally:
            self._local.patience = None
            driver.set_progress_handler(None, 0)

    def _look(self, *_: object) -> None:
        """Before each statement: what a search does between many short ones counts, too."""
        patience: _Patience | None = getattr(self._local, "patience", None)
        if patience is not None and patience.over():
            raise TooCostly

    def _reader(self) -> Connection:
        """This thread's own connection."""
        connection: Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._engine.connect()
            driver_of(connection).execute("PRAGMA query_only = 1")
            self._reading.append(connection)
        return connection

    def _read(self, query: Unit[T]) -> T:
        try:
            connection = self._reader()
            # One read transaction, so that several statements see one state of the database.
            driver = driver_of(connection)
            driver.execute("BEGIN")
            try:
                return query(connection)
            finally:
                if driver.in_transaction:
                    driver.execute("ROLLBACK")
        except (StatementError, sqlite3.Error) as error:
            self._require_open()
            if (own := own_error(error)) is not error:
                raise own from error
            if (trouble := storage_error(error)) is None:
                raise
            self._local.connection = None  # the next reading opens the file anew; this one is closed at the end
            raise self._suffer(trouble) from error

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            self._commit(batch)
        with contextlib.suppress(DBAPIError, sqlite3.Error):  # leave one file behind, not three
            driver_of(self._writer_connection()).execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._forget_writer()

    def _writer_connection(self) -> Connection:
        if self._writing is None:
            self._writing = self._engine.connect()
            self._checkpoints.leave_to_others(self._writing)
        return self._writing

    def _forget_writer(self) -> None:
        """Open the file anew for the next batch: a connection that failed once may go on failing for ever."""
        connection, self._writing, self._log = self._writing, None, None
        if connection is not None:
            with contextlib.suppress(DBAPIError, sqlite3.Error):
                connection.close()

    def _stored(self) -> None:
        self.stored_at = time.monotonic()
        if self.trouble is not None:
            log.info("The database takes what is written again (%s)", self.path)
            self.trouble = None

    def _suffer(self, trouble: QpiError) -> QpiError:
        """The storage failed: keep it in mind, and say so once."""
        if self.trouble is None or self.trouble.code != trouble.code:
            log.error("%s (%s: %s)", trouble.message, self.path, trouble.__cause__ or "removed or replaced")
        self.trouble = trouble
        self.on_trouble(trouble)
        return trouble

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

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Run ``batch`` in one transaction. Where the disk is too full for it, each unit gets one of its own."""
        begun = time.perf_counter()
        try:
            outcomes = self._transact(batch)
        except (DBAPIError, sqlite3.Error) as error:
            trouble = storage_error(error) or fault(FAILED, str(error))
            if trouble.code != FULL:
                self._forget_writer()
            if len(batch) > 1 and trouble.code in (FULL, FAILED):
                for waiting in batch:
                    self._commit([waiting])
                return
            self._suffer(trouble)
            outcomes = [_Outcome(waiting, error=trouble) for waiting in batch]
        except BaseException as error:
            log.exception("the store's writer")
            outcomes = [_Outcome(waiting, error=error) for waiting in batch]
        self._on_commit(len(batch), time.perf_counter() - begun)
        for loop in {outcome.waiting.loop for outcome in outcomes}:
            _tell(loop, [outcome for outcome in outcomes if outcome.waiting.loop is loop])

    def _transact(self, batch: Sequence[_Waiting]) -> list[_Outcome]:
        """Every unit in a savepoint of its own, all in one commit.

        Raises
        ------
        DBAPIError, sqlite3.Error
            the database failed as a whole: nothing of the batch is stored.
        """
        connection = self._writer_connection()
        driver = driver_of(connection)
        before = driver.total_changes
        try:
            driver.execute("BEGIN IMMEDIATE")
            self._log = self._log or identity(self._log_path)
            if (name := self._moved()) is not None:
                return self._gone(name, batch)
            outcomes = [_attempt(connection, driver, waiting) for waiting in batch]
            driver.execute("COMMIT")
        finally:
            if driver.in_transaction:
                driver.execute("ROLLBACK")
        if (name := self._moved()) is not None:  # what was committed is in a file that nobody will find
            return self._gone(name, batch)
        if (rows := driver.total_changes - before) > 0:  # else it may be a file that can only be read
            self._stored()
            self._checkpoints.committed(rows)
        return outcomes

    def _moved(self) -> str | None:
        """Which of the database's files was removed or replaced: what is written to it nobody will find."""
        if identity(self.path) != self._file:
            return self.path.name
        if self._log is not None and identity(self._log_path) != self._log:
            return self._log_path.name
        return None

    def _gone(self, name: str, batch: Sequence[_Waiting]) -> list[_Outcome]:
        trouble = self._suffer(fault(GONE, name))
        return [_Outcome(waiting, error=trouble) for waiting in batch]


def _open_to_read(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, check_same_thread=False)


def _look_through(connection: sqlite3.Connection) -> str:
    try:
        with contextlib.closing(connection):
            rows = connection.execute("PRAGMA quick_check(3)").fetchall()
    except sqlite3.Error as error:
        trouble = storage_error(error)
        return str(error) if trouble is not None and trouble.code == DAMAGED else ""
    return "; ".join(row[0] for row in rows if row[0] != "ok")


def _attempt(connection: Connection, driver: sqlite3.Connection, waiting: _Waiting) -> _Outcome:
    driver.execute("SAVEPOINT unit")
    try:
        value = waiting.unit(connection)
    except Exception as error:
        if isinstance(error, DBAPIError | sqlite3.Error) and storage_error(error) is not None:
            raise
        driver.execute("ROLLBACK TO unit")
        driver.execute("RELEASE unit")
        return _Outcome(waiting, error=own_error(error))
    driver.execute("RELEASE unit")
    return _Outcome(waiting, value=value)


def _code(error: Exception) -> int:
    return getattr(getattr(error, "orig", error), "sqlite_errorcode", 0) & 0xFF


def _tell(loop: asyncio.AbstractEventLoop, outcomes: Sequence[_Outcome]) -> None:
    def resolve() -> None:
        for outcome in outcomes:
            if outcome.error is None and outcome.waiting.committed is not None:
                outcome.waiting.committed()
        for outcome in outcomes:
            waiting = outcome.waiting
            if waiting.future.done():
                continue
            if outcome.error is not None:
                waiting.future.set_exception(outcome.error)
            else:
                waiting.future.set_result(outcome.value)

    try:
        loop.call_soon_threadsafe(resolve)
    except RuntimeError:
        log.debug("the loop that waited for %d units is closed", len(outcomes))

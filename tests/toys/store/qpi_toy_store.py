"""A store beside qpi-jupyter: the lab's rows in the memory of one process. Nothing in the product knows it.

It is found by the entry point in the ``dist-info`` beside it. One connection, one lock, one commit a unit.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.exc import DBAPIError

from qpi_jupyter.core import NotFound, QpiError, Unavailable
from qpi_server.store import JSON_COLUMNS, Backend, OnCommit, TooCostly, Unit, migrate, own_error, schema_version

T = TypeVar("T")


class Shelf:
    """The rows of one lab, for as long as the process lives."""

    def __init__(self) -> None:
        self.engine, self.turn, self.owned = _engine(), threading.RLock(), threading.Lock()
        self.away = False
        """As if the database were a server that is down."""


def _engine() -> Engine:
    """One connection, which begins when SQLAlchemy says so and not when the driver likes to."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False, "isolation_level": None},
        **JSON_COLUMNS,
    )  # fmt: skip
    event.listen(engine, "connect", lambda driver, _record: driver.execute("PRAGMA foreign_keys = 1"))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


SHELVES: dict[tuple[str, Path], Shelf] = {}


class InMemory(Backend):
    """``toymemory://``: one for each folder of a lab."""

    def __init__(self, url: URL, lab_dir: Path) -> None:
        super().__init__(url, lab_dir)
        self.shelf = SHELVES.setdefault((str(url), lab_dir), Shelf())

    def lock(self) -> ShelfLock:
        if self.shelf.away:
            raise ConnectionRefusedError("Nobody listens")
        return ShelfLock(self.shelf)

    def present(self) -> bool:
        with read_only(self.shelf) as connection:
            return schema_version(connection) > 0

    def open(self, on_commit: OnCommit) -> MemoryStore:
        with self.shelf.turn, self.shelf.engine.connect() as connection:
            migrate(connection)
        return MemoryStore(self.shelf, on_commit)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        if not self.present():
            raise NotFound("There is no lab in this process's memory.")
        with read_only(self.shelf) as connection:
            yield connection


class ShelfLock:
    """Who holds it owns the lab: others in this process may not."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf, self._ours = shelf, False

    def acquire(self) -> bool:
        self._ours = self._ours or self._shelf.owned.acquire(blocking=False)
        return self._ours

    def release(self) -> None:
        if self._ours:
            self._shelf.owned.release()
        self._ours = False


@contextmanager
def read_only(shelf: Shelf) -> Iterator[Connection]:
    with shelf.turn, shelf.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only = 1")
        try:
            yield connection
        finally:
            connection.exec_driver_sql("PRAGMA query_only = 0")


class MemoryStore:
    """See `qpi_server.store.Store`: a unit runs as it is written, under the lock that readers take, too."""

    def __init__(self, shelf: Shelf, on_commit: OnCommit) -> None:
        self._shelf, self._on_commit, self._closed = shelf, on_commit, False
        self.trouble: QpiError | None = None
        self.stored_at = -math.inf
        self.on_trouble: Callable[[QpiError], None] = lambda trouble: None

    def write(self, unit: Unit[T], *, committed: Callable[[], None] | None = None) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        begun = time.perf_counter()
        try:
            self._require_open()
            with self._shelf.turn, self._shelf.engine.begin() as connection:
                value = unit(connection)
        except Exception as error:
            future.set_exception(own_error(error))
            return future
        self.stored_at = time.monotonic()
        self._on_commit(1, time.perf_counter() - begun)
        loop.call_soon(_resolve, future, value, committed)
        return future

    async def read(self, query: Unit[T]) -> T:
        return await asyncio.to_thread(self.glance, query)

    def glance(self, query: Unit[T]) -> T:
        self._require_open()
        with read_only(self._shelf) as connection:
            try:
                return query(connection)
            except Exception as error:
                raise own_error(error) from error

    async def search(self, query: Unit[T], budget_s: float) -> T:
        """In a copy, which nobody waits for."""
        self._require_open()
        until = [time.monotonic() + budget_s]
        try:
            return await asyncio.to_thread(self._search, query, lambda: time.monotonic() > until[0])
        except asyncio.CancelledError:
            until[0] = -math.inf
            raise

    def _search(self, query: Unit[T], over: Callable[[], bool]) -> T:
        def look(*_: object) -> None:
            if over():
                raise TooCostly

        engine = _engine()
        try:
            with engine.connect() as connection:
                driver: Any = connection.connection.driver_connection
                with self._shelf.turn, self._shelf.engine.connect() as ours:
                    source: Any = ours.connection.driver_connection
                    source.backup(driver)
                connection.exec_driver_sql("PRAGMA query_only = 1")
                event.listen(engine, "before_cursor_execute", look)
                driver.set_progress_handler(over, 20_000)
                return query(connection)
        except DBAPIError as error:
            if over():
                raise TooCostly from error
            raise
        finally:
            engine.dispose()

    async def probe(self) -> None:
        await self.write(lambda connection: None)

    def look(self) -> QpiError | None:
        return self.trouble

    async def check(self) -> str:
        return ""

    async def close(self) -> None:
        self._closed = True

    def _require_open(self) -> None:
        if self._closed:
            raise Unavailable("The lab is closing.", code="closing")


def _resolve(future: asyncio.Future[T], value: T, committed: Callable[[], None] | None) -> None:
    if committed is not None:
        committed()
    if not future.done():
        future.set_result(value)

"""Contract tests of rows: each runs once with every installed store, and once with another package's."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from qpi_server.store import STORES, USUAL, Backend, OnCommit, Store, backend_of, open_store
from tests.support.packages import TOY_STORE, installed
from tests.support.template import prepare

with installed(TOY_STORE):
    ADDRESSES = [f"{name}://" for name in STORES.names()]
_under_test = [USUAL]


@contextmanager
def under_test(address: str) -> Iterator[None]:
    """Meanwhile `backend` and `with_store` mean this store."""
    _under_test.append(address)
    with installed(TOY_STORE):
        yield
    _under_test.pop()


def backend(lab_dir: Path) -> Backend:
    """The database under test of the lab in ``lab_dir``."""
    return backend_of(_under_test[-1], lab_dir)


def opened(lab_dir: Path, on_commit: OnCommit = lambda units, seconds: None) -> Store:
    """Its store."""
    if _under_test[-1] == USUAL:
        prepare(lab_dir)  # quicker than to make the tables
    return open_store(_under_test[-1], lab_dir, on_commit)


def with_store(lab_dir: Path, dialogue: Callable[[Store], Any], **options: Any) -> Any:
    """``dialogue`` with the store under test of the lab in ``lab_dir``."""

    async def run() -> Any:
        store = opened(lab_dir, **options)
        try:
            return await dialogue(store)
        finally:
            await store.close()

    return asyncio.run(run())


@contextmanager
def in_a_unit(lab_dir: Path) -> Iterator[Connection]:
    """The connection of a unit that lasts meanwhile."""
    given: queue.SimpleQueue[Connection] = queue.SimpleQueue()
    over = threading.Event()

    def unit(connection: Connection) -> None:
        given.put(connection)
        over.wait()

    with ThreadPoolExecutor(1, thread_name_prefix="unit") as pool:
        done = pool.submit(with_store, lab_dir, lambda store: store.write(unit))
        try:
            yield given.get(timeout=30)
        finally:
            over.set()
            done.result()

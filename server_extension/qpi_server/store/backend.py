"""Where a lab's rows are: databases by the scheme of their address, found by entry point."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from inspect import isabstract
from pathlib import Path
from typing import Protocol, TypeGuard

from sqlalchemy import URL, Connection, insert, make_url, select
from sqlalchemy.exc import ArgumentError

from qpi_jupyter.core import QpiError, Rejected
from qpi_jupyter.core.plugins import Plugins

from .database import Store
from .engine import bring_up, immediate, make_engine
from .faults import storage_error
from .schema import metadata

USUAL = "sqlite://"
"""The address of a lab that says nothing else: a file in its own folder."""
OnCommit = Callable[[int, float], None]
"""Told after each commit of the number of units and the seconds that it took, on any thread."""
_AT_ONCE = 500
"""Rows in memory, of those that are copied."""


def _untold(units: int, seconds: float) -> None:
    """Nobody counts."""


class OwnerLock(Protocol):
    """What makes one process the owner of a lab. It ends with its process, however that ends.

    One that can be lost earlier, with a connection, is the store's `Store.trouble` then, with the code `GONE`, and
    nothing more is written.
    """

    def acquire(self) -> bool:
        """Whether the lock is ours now; never waits."""

    def release(self) -> None:
        """Give it back."""


class Backend(ABC):
    """The database at one address: what is asked of it whether or not somebody has it open.

    A member of ``qpi.stores`` is a subclass, under the scheme of its addresses. What fails raises `Unavailable` with
    a remedy (`fault`), or an error that `storage_error` knows.

    Parameters
    ----------
    url
        the address.
    lab_dir
        the lab's folder; results are there, wherever the rows are.

    Raises
    ------
    Rejected
        there is no such address.
    """

    files: tuple[str, ...] = ()
    """Names in the lab's folder that are the database's own."""

    def __init__(self, url: URL, lab_dir: Path) -> None:
        self.url, self.lab_dir = url, lab_dir

    def prepare(self) -> None:
        """Make the lab's folder, for its user alone.

        Raises
        ------
        Conflict
            a lab cannot be there; the message says what to do instead.
        """
        self.lab_dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    @abstractmethod
    def lock(self) -> OwnerLock:
        """What the owner of the lab holds."""

    @abstractmethod
    def present(self) -> bool:
        """Whether there is a lab's database."""

    def stamp(self) -> object:
        """Changes when somebody puts another database there. A damaged one is not opened again before it does."""
        return object()

    @abstractmethod
    def open(self, on_commit: OnCommit) -> Store:
        """The database, made or brought up to date if need be, for the lab's owner.

        Raises
        ------
        Conflict
            a newer version of this software wrote it.
        """

    @abstractmethod
    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that only reads, and sees the rows as of one commit: for whoever is not the owner.

        Raises
        ------
        NotFound
            there is no lab.
        """

    def copy(self, target: Path) -> None:
        """The rows as of one commit, as a new SQLite file: what a backup has, whatever the database is."""
        with self.reading() as connection:
            write_file(connection, target)

    def put(self, copy: Path) -> None:
        """Take over such a file, of this schema or an older one, where there was no lab: all of it or nothing."""

        async def fill(source: Connection) -> None:
            store = self.open(_untold)
            try:
                await store.write(lambda connection: copy_rows(source, connection))
            finally:
                await store.close()

        with opened_file(copy) as source:
            asyncio.run(fill(source))


def _is_backend(thing: object) -> TypeGuard[type[Backend]]:
    return isinstance(thing, type) and issubclass(thing, Backend) and not isabstract(thing)


STORES: Plugins[type[Backend]] = Plugins(
    "qpi.stores", "store", _is_backend, "a subclass of qpi_server.store.Backend with all of its methods",
    remedy=f"install its package, or leave db_url at {USUAL}, a file in the lab's folder",
)  # fmt: skip
_member = cache(STORES.load)


def backend_of(address: str, lab_dir: Path) -> Backend:
    """The database at ``address``; nothing is opened yet.

    Raises
    ------
    Rejected
        there is no such address, nor a package for it, or that package cannot be used.
    Faulted
        the package could not be imported now.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError) as error:  # the address is not repeated: it may hold a password
        raise Rejected(
            f"Cannot read db_url as the address of a database. It begins with its kind, as in {USUAL}. Installed: "
            f"{', '.join(STORES.names())}.",
            code="bad_store_address", field="db_url",
        ) from error  # fmt: skip
    member = _member(url.get_backend_name())
    try:
        return member(url, lab_dir)
    except QpiError:
        raise
    except Exception as error:  # whatever a guest raises; its words are not repeated, for the same reason
        raise Rejected(
            f"The store {url.get_backend_name()!r} cannot use this db_url ({type(error).__name__}). Correct the "
            "address, or update or uninstall the store's package.",
            code="bad_store_address", field="db_url",
        ) from error  # fmt: skip


def open_store(address: str, lab_dir: Path, on_commit: OnCommit = _untold) -> Store:
    """The store at ``address``, for whoever holds its lock; raises as `backend_of`.

    Raises
    ------
    Conflict
        a newer version of this software wrote the database.
    Unavailable
        it is missing, damaged, locked or cannot be reached.
    """
    backend = backend_of(address, lab_dir)
    try:
        return backend.open(on_commit)
    except Exception as error:
        if (trouble := storage_error(error)) is None:
            raise
        raise trouble from error


# --- from one database into another: what makes a backup of any of them a file that any of them takes


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

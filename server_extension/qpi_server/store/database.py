"""The port that the use cases see: write a unit, read with a function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from qpi_jupyter.core import QpiError

T = TypeVar("T")
Unit = Callable[[Connection], T]
"""Reads and writes rows through one connection. Deterministic and repeatable: ids and times come in from outside."""


class TooCostly(Exception):
    """A search took longer than it was given."""


class Store(Protocol):
    """One lab's rows, for the one process that has their lock.

    Units run one after the other in the order of `write`, each on its own: one that raises changes nothing, and its
    neighbours nothing of it. Whoever runs after one sees what it wrote. The future resolves once the unit is durable;
    how many share a commit is the store's own business. A unit that reads may not write.
    """

    def write(self, unit: Unit[T], *, committed: Callable[[], None] | None = None) -> asyncio.Future[T]:
        """Run ``unit``; its value once it is durable. Call it on the event loop.

        ``committed`` is called on the loop before that, in the order of the units, whether or not anybody still waits.

        Raises
        ------
        Unavailable
            the disk is full or failing, or the store is closed: nothing of the unit is stored, and the store goes on.
        Exception
            what the unit raised, freed of SQLAlchemy's words around it (`own_error`).
        """

    async def read(self, query: Unit[T]) -> T:
        """The value of ``query``, which only reads, as of everything that `write` acknowledged before."""

    async def search(self, query: Unit[T], budget_s: float) -> T:
        """As `read`, for what may look at any number of rows: apart from the quick reads, which never wait for it.

        Its statements stop after ``budget_s``, and when whoever awaits is cancelled.

        Raises
        ------
        TooCostly
            it took longer.
        """

    def glance(self, query: Unit[T]) -> T:
        """As `read`, but at once and on the caller's thread: for a few rows by their key, which takes less time than
        changing threads."""

    trouble: QpiError | None
    """What is wrong with the disk or the database: the last failure, until something is stored again."""
    stored_at: float
    """When something was stored last, by `time.monotonic`."""
    on_trouble: Callable[[QpiError], None]
    """Told of each failure, on any thread."""

    async def probe(self) -> None:
        """Store something that changes nothing.

        Raises
        ------
        Unavailable
            the storage still fails.
        """

    async def check(self) -> str:
        """What is wrong with the whole database, as far as it can tell; empty for a sound one. Cancelled, it stops."""

    def look(self) -> QpiError | None:
        """`trouble`, after a look at whether the files are still those that were opened."""

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""

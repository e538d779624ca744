"""The port that the use cases see: write a unit, read with a function."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection

T = TypeVar("T")
Unit = Callable[[Connection], T]
"""Reads and writes rows through one connection. Deterministic and repeatable: ids and times come in from outside."""


class Store(Protocol):
    """One lab's rows.

    Units run one after the other in the order of `write`, each on its own: one that raises changes nothing, and its
    neighbours nothing of it. The future resolves once the unit is on disk.
    """

    def write(self, unit: Unit[T]) -> asyncio.Future[T]:
        """Run ``unit``; its value once it is durable. Call it on the event loop.

        Raises
        ------
        Unavailable
            the disk is full or failing: nothing of the unit is stored, and the store goes on.
        """

    async def read(self, query: Unit[T]) -> T:
        """The value of ``query``, which only reads, as of everything that `write` acknowledged before."""

    def glance(self, query: Unit[T]) -> T:
        """As `read`, but at once and on the caller's thread: for a few rows by their key, which takes less time than
        changing threads."""

    async def close(self) -> None:
        """Finish what was begun and let go of the database."""

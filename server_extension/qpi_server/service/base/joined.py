"""Work that several people ask for at once is done once, and not at all once nobody waits for it any more."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _Work(Generic[T]):
    task: asyncio.Future[T]
    waiting: int = 0


class Joined(Generic[T]):
    """What was made by key, the latest ``kept`` of it, and what is being made."""

    def __init__(self, *, kept: int) -> None:
        self._kept = kept
        self._made: OrderedDict[str, T] = OrderedDict()
        self._making: dict[str, _Work[T]] = {}

    async def get(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """What ``make`` makes of ``key``: remembered, or made together with whoever asks for it meanwhile."""
        if (made := self.made(key)) is not None:
            return made
        work = self._making.get(key)
        if work is None:
            work = self._making[key] = _Work(asyncio.ensure_future(self._make(key, make)))
        work.waiting += 1
        try:
            return await asyncio.shield(work.task)
        finally:
            work.waiting -= 1
            if work.waiting == 0 and not work.task.done():
                await self._end(key, work)

    def made(self, key: str) -> T | None:
        """What is remembered of ``key``."""
        if key in self._made:
            self._made.move_to_end(key)
        return self._made.get(key)

    async def _make(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        try:
            made = self._made[key] = await make()
        finally:
            self._making.pop(key, None)
        if len(self._made) > self._kept:
            self._made.popitem(last=False)
        return made

    async def _end(self, key: str, work: _Work[T]) -> None:
        # Whoever asks from now on begins anew.
        if self._making.get(key) is work:
            del self._making[key]
        work.task.cancel()
        await asyncio.wait([work.task])

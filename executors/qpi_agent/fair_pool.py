"""Who goes first where people want the same few things: whoever has used them least lately."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
_HALF_LIFE_S = 60.0
"""Half of what somebody has used is forgotten after this time."""
_FORGOTTEN_S = 1e-3


class FairPool(Generic[T]):
    """Hands out ``T``s, one to a person at a time.

    Nobody is held back while nobody else waits. What people used is added up in seconds and fades: who comes seldom
    goes before who keeps everything busy, and the latter still gets the rest.

    Parameters
    ----------
    heavy_s
        whoever has used more than this lately leaves alone what is `reserved`.
    """

    def __init__(self, heavy_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._heavy_s, self._clock = heavy_s, clock
        self._reserved = 0
        self._free: deque[T] = deque()
        self._waiting: dict[str, tuple[int, asyncio.Future[T]]] = {}
        self._used: dict[str, tuple[float, float]] = {}
        """What people have used (seconds), and when that was added up."""
        self._numbers = itertools.count()

    def offer(self, thing: T) -> None:
        """There is one to hand out."""
        self._free.append(thing)
        self._hand_out()

    def withdraw(self, thing: T) -> None:
        """It is not to be handed out any more, if nobody has it."""
        if thing in self._free:
            self._free.remove(thing)

    def reserve(self, count: int) -> None:
        """The last so many free ones are for people who have not used much lately."""
        self._reserved = count
        self._hand_out()

    async def take(self, person: str) -> T:
        """One of them, when it is this person's turn. A person waits for one at a time."""
        assert person not in self._waiting
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting[person] = (next(self._numbers), future)
        self._hand_out()
        try:
            return await future
        except asyncio.CancelledError:
            self._waiting.pop(person, None)
            if future.done() and not future.cancelled():
                self.offer(future.result())
            raise

    def used(self, person: str, seconds: float) -> None:
        """Remember that they had one for so long."""
        now = self._clock()
        self._used[person] = (self._lately(person, now) + seconds, now)
        if len(self._used) > 2 * (len(self._waiting) + 64):
            self._used = {who: entry for who, entry in self._used.items() if self._lately(who, now) > _FORGOTTEN_S}

    def waits(self, person: str) -> bool:
        """Whether this person waits for one."""
        return person in self._waiting

    def _hand_out(self) -> None:
        now = self._clock()
        while self._free and self._waiting:
            person = min(self._waiting, key=lambda who: (self._lately(who, now), self._waiting[who][0]))
            if len(self._free) <= self._reserved and self._lately(person, now) > self._heavy_s:
                return
            _, future = self._waiting.pop(person)
            if not future.done():
                future.set_result(self._free.popleft())

    def _lately(self, person: str, now: float) -> float:
        seconds, at = self._used.get(person, (0.0, now))
        return float(seconds * 0.5 ** ((now - at) / _HALF_LIFE_S))

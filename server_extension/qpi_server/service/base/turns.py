"""Turns and budgets: how much of the lab anybody may ask for at once, and how often.

Costly work of many people goes through few places: each person's in their own line, and the lines take turns.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from qpi_jupyter.core import TooMany

from .clock import Clock


class Turns:
    """The places of one kind of work, and who waits for one.

    Parameters
    ----------
    work
        what it is, for whoever is refused: "reading program text".
    places
        how many run at once, of everybody together.
    each
        how many of one person run at once.
    waiting
        how many of one person may wait beside those that run; one more is refused.
    in_all
        how many of everybody together may wait.
    """

    def __init__(
        self, work: str, *, places: int, each: int = 1, waiting: int = 8, in_all: float = math.inf
    ) -> None:  # fmt: skip
        self._work, self._places, self._each, self._waiting, self._in_all = work, places, each, waiting, in_all
        self._running: dict[str, int] = {}
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        """Whoever waits, in the order in which the lines are served."""

    @asynccontextmanager
    async def turn(self, who: str, *, free: bool = False) -> AsyncIterator[None]:
        """A place for ``who`` (a person, or an address) for as long as the block lasts.

        Whoever is cancelled while they wait leaves the line. The ``free`` may have any number waiting.

        Raises
        ------
        TooMany
            they, or all together, have too many waiting already.
        """
        await self._enter(who, free=free)
        try:
            yield
        finally:
            self._leave(who)

    async def _enter(self, who: str, *, free: bool) -> None:
        line = self._lines.setdefault(who, deque())
        if not free and len(line) >= self._waiting + self._each - self._running.get(who, 0):
            self._forget(who)
            raise TooMany(
                f"You have {self._waiting + self._each} requests of this kind under way ({self._work}): wait for one "
                "to be answered.",
                code="too_many_at_once", retry_after_s=1.0,
            )  # fmt: skip
        if not free and sum(map(len, self._lines.values())) >= self._in_all:
            self._forget(who)
            raise TooMany(
                f"The lab is busy ({self._work}): try again in a moment.", code="too_many_at_once", retry_after_s=5.0
            )
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(place)
        self._serve()
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._forget(who)
            else:  # it was given in the same moment
                self._leave(who)
            raise

    def _leave(self, who: str) -> None:
        self._running[who] -= 1
        if not self._running[who]:
            del self._running[who]
        self._serve()

    def _serve(self) -> None:
        """Give the free places to the lines in turn."""
        for who in list(self._lines):
            if sum(self._running.values()) >= self._places:
                return
            self._forget(who)
            line = self._lines.get(who)
            if line and self._running.get(who, 0) < self._each:
                self._running[who] = self._running.get(who, 0) + 1
                line.popleft().set_result(None)
                self._lines[who] = self._lines.pop(who)  # their next one comes after everybody's
                self._forget(who)

    def _forget(self, who: str) -> None:
        """Take whoever has gone out of a line, and an empty line away."""
        line = self._lines.get(who, deque())
        for place in [place for place in line if place.cancelled()]:
            line.remove(place)
        if not line:
            self._lines.pop(who, None)


DRIVER_BURST = 5
"""Messages of a driver that may come at once; after that one a heartbeat, which is how often an honest one has one."""
_REMEMBERED = 10_000


class Rates:
    """A budget for each key: ``burst`` at once, refilled by ``per_s``."""

    def __init__(self, clock: Clock, *, per_s: float, burst: int) -> None:
        self._clock, self._per_s, self._burst = clock, per_s, burst
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """What was left, and when; the keys that asked last at the end."""

    def admit(self, key: str) -> bool:
        """Whether the budget has room for one more; it is counted then."""
        return self._spend(key) >= 1.0

    def take(self, key: str) -> None:
        """Count one request.

        Raises
        ------
        TooMany
            the budget is used up.
        """
        left = self._spend(key)
        if left < 1.0:
            wait_s = math.ceil((1.0 - left) / self._per_s * 1000) / 1000
            raise TooMany(
                f"Too many requests from this address without a sign-in: try again in {wait_s:g} s.",
                code="too_many_requests", retry_after_s=wait_s,
            )  # fmt: skip

    def _spend(self, key: str) -> float:
        """What was left before; one less is left after, unless that was less than one."""
        now_s = self._clock.monotonic()
        left, at_s = self._left.pop(key, (float(self._burst), now_s))
        left = min(float(self._burst), left + (now_s - at_s) * self._per_s)
        self._left[key] = (left - 1.0 if left >= 1.0 else left, now_s)
        if len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return left


def network(address: str) -> str:
    """Whom an address belongs to: one machine of IPv4, a subscriber's 64 bits of IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 6 and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)

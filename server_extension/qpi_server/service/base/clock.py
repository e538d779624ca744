"""Where the service gets its time: one object, so that a test can hold it still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol


class Timer(Protocol):
    """Something that will happen."""

    def cancel(self) -> None:
        """Make it not happen; harmless when it already did."""


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time of day, for people and rows."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump, for deadlines."""
        return time.monotonic()

    def call_at(self, moment: float, callback: Callable[[], None]) -> Timer:
        """Call back at that `monotonic` moment."""
        loop = asyncio.get_running_loop()
        return loop.call_later(max(0.0, moment - self.monotonic()), callback)


class Timers:
    """Calls that are to come, at most one under each key."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timers: dict[str, Timer] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._timers

    def after(self, wait_s: float, key: str, callback: Callable[[], None]) -> None:
        """Call back in so many seconds, in place of what was to come under that key."""

        def due() -> None:
            del self._timers[key]
            callback()

        self.cancel(key)
        self._timers[key] = self._clock.call_at(self._clock.monotonic() + max(0.0, wait_s), due)

    def cancel(self, key: str) -> None:
        """Make it not happen; harmless when it already did."""
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    def close(self) -> None:
        """Nothing is to come any more."""
        for key in [*self._timers]:
            self.cancel(key)

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

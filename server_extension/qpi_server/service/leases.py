"""Leases belong to drivers: a driver that stays silent for one loses its jobs. Monotonic time, nothing on disk."""

from __future__ import annotations

from collections.abc import Callable

from .clock import Clock, Timer


class Leases:
    """Who is alive, and a call when somebody no longer is.

    Parameters
    ----------
    expired
        called with a driver whose lease ran out.
    """

    def __init__(self, clock: Clock, lease_s: float, expired: Callable[[str], None]) -> None:
        self._clock, self._lease_s, self._expired = clock, lease_s, expired
        # A server that has just started knows nothing: drivers get two lease lengths to come back.
        self._grace = clock.monotonic() + 2 * lease_s
        self._ends: dict[str, float] = {}
        self._timer: Timer | None = None
        self._next = float("inf")

    def extend(self, driver: str) -> None:
        """The driver was heard."""
        end = max(self._clock.monotonic() + self._lease_s, self._grace)
        self._ends[driver] = end
        self._arm(end)

    def alive(self, driver: str) -> bool:
        return driver in self._ends

    def end(self, driver: str) -> None:
        """Forget a lease without calling anybody."""
        self._ends.pop(driver, None)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._ends.clear()

    def _arm(self, moment: float) -> None:
        # One timer for all; a heartbeat only moves an end, and the timer finds that out when it fires.
        if moment >= self._next:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._next = moment
        self._timer = self._clock.call_at(moment, self._look)

    def _look(self) -> None:
        self._timer, self._next = None, float("inf")
        now = self._clock.monotonic()
        over = [driver for driver, end in self._ends.items() if end <= now]
        for driver in over:
            del self._ends[driver]
        if self._ends:
            self._arm(min(self._ends.values()))
        for driver in over:
            self._expired(driver)

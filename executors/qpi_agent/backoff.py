"""How long to wait before the next try."""

from __future__ import annotations

import random


class Backoff:
    """Doubling waits with jitter, from ``first_s`` to ``last_s``; with ``at_once`` the first wait is none at all."""

    def __init__(self, *, first_s: float = 0.1, last_s: float = 30.0, at_once: bool = False) -> None:
        self._first_s, self._last_s, self._at_once = first_s, last_s, at_once
        self._tries = 0

    def next(self) -> float:
        """The wait (seconds); every call makes the next one longer."""
        self._tries += 1
        doublings = self._tries - 1 - self._at_once
        if doublings < 0:
            return 0.0
        # Jitter: drivers that lost the same server do not come back in step.
        return float(min(self._last_s, self._first_s * 2 ** min(doublings, 32)) * random.uniform(0.5, 1.0))

    def reset(self) -> None:
        """It worked."""
        self._tries = 0

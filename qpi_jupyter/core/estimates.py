"""What was measured, folded into what is promised: corrections, moving averages that need no history."""

from __future__ import annotations

import math

MEMORY = 20
"""How many of the latest measurements an average is made of, about."""
LOWEST, HIGHEST = 0.1, 10.0
"""The bounds of a correction: beyond them the executor's estimate is wrong, not off."""


def fold_correction(correction: float, count: int, *, raw_s: float, busy_s: float) -> float:
    """The correction after one more run, which was estimated at ``raw_s`` and took ``busy_s``.

    A moving geometric mean of measured over estimated time; it begins at 1, which counts as one measurement.
    """
    if raw_s <= 0 or busy_s <= 0:
        return correction
    ratio = min(max(busy_s / raw_s, LOWEST), HIGHEST)
    weight = 1 / min(count + 2, MEMORY)
    return math.exp((1 - weight) * math.log(correction) + weight * math.log(ratio))


def fold_error(mean_s: float | None, count: int, error_s: float) -> float:
    """The mean absolute error after one more prediction was off by ``error_s``."""
    if mean_s is None:
        return abs(error_s)
    weight = 1 / min(count + 1, MEMORY)
    return (1 - weight) * mean_s + weight * abs(error_s)

"""When something is likely to happen: a moment, and the range around it that holds the truth in four of five cases."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .planner import Reason
from .times import after

ENOUGH = 5
"""Measured runs of a QPU without which nothing is promised there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """``error_s`` is how far off such predictions were lately (mean absolute error), None before there were any."""

    earliest: datetime
    likely: datetime
    latest: datetime
    error_s: float | None = None


def around(likely: datetime, now: datetime, error_s: float | None) -> Outlook:
    """The outlook on what is likely at one moment, and not before ``now``."""
    margin_s = error_s or 0.0
    return Outlook(
        earliest=max(now, after(likely, -margin_s)), likely=likely, latest=after(likely, margin_s), error_s=error_s
    )


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a job that has not ended can be told: why it waits, if it does, and the outlook on its start or its end."""

    reason: Reason | None = None
    outlook: Outlook | None = None


NOTHING = Prospect()

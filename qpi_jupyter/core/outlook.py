"""When something is likely to happen: a moment, and the range around it that holds the truth in four of five cases.

`planner.eta` says when a job starts that has so much work before it. `Track` knows what such figures of a QPU were
worth: its pace (measured over estimated time), and by what factor the work before a job was wrong. The range is what
`eta` makes of the work times the usual factors, so that bookings in between widen it only where they may matter
(conformal prediction; its level follows how often the truth lay outside).
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from .planner import Reason

ENOUGH = 5
"""Measured runs of a QPU, and starts that were predicted there, without which nothing is promised."""
KEPT = 2_000
"""How many of the latest starts of a QPU are looked at..."""
ALIKE = 150
"""... and how many of those, with nearly as much work before them, say how good a new prediction is."""
OUTSIDE = 0.12
"""The share of starts that may lie outside of their range; many come late, so that it turns out as a fifth."""
FORGETS = 0.995
"""What of the runs so far counts after one more: about the last 200 do."""
BOOKED = 20
"""How many of the latest bookings of a QPU say how likely the next is given back unused."""
_PACE = 0.03
"""How quickly ranges widen where the truth lies outside too often, and narrow where it does too seldom."""
_FLOOR_S = 5.0
"""Work this small (seconds) is not told apart: factors are of the work and this together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """``error_s`` is how far off such predictions were lately (mean absolute error), None before there were any."""

    earliest: datetime
    likely: datetime
    latest: datetime
    error_s: float | None = None


@dataclass(slots=True)
class Track:
    """What one QPU's past says of predictions made for it. All durations in seconds."""

    runs: int = 0
    _estimated_s: float = 0.0
    _measured_s: float = 0.0
    _lengths: deque[float] = field(default_factory=lambda: deque(maxlen=ALIKE))
    """By what factor the estimates of the latest runs were wrong, as logarithms."""
    _waits: deque[tuple[float, float]] = field(default_factory=deque)
    """The latest starts: the work that was predicted before them, and by what factor that was wrong; as logarithms."""
    _sorted: list[tuple[float, float]] = field(default_factory=list)
    _outside: float = OUTSIDE
    _used: deque[bool] = field(default_factory=lambda: deque(maxlen=BOOKED))

    @property
    def known(self) -> bool:
        """Whether there is enough of a past to promise something."""
        return self.runs >= ENOUGH and len(self._sorted) >= ENOUGH

    @property
    def pace(self) -> float:
        """Measured over estimated time: of sums, as it is a sum that a job waits for."""
        return self._measured_s / self._estimated_s if self.runs else 1.0

    def ran(self, estimate_s: float, busy_s: float) -> None:
        """A job has run."""
        if estimate_s > 0 and busy_s > 0:
            self.runs += 1
            self._estimated_s = FORGETS * self._estimated_s + estimate_s
            self._measured_s = FORGETS * self._measured_s + busy_s
            self._lengths.append(math.log(busy_s / estimate_s))

    @property
    def unused(self) -> tuple[bool, bool, bool]:
        """Whether bookings that nobody has used yet count as given back: for the earliest, likely and latest start."""
        share = self._used.count(False) / len(self._used) if len(self._used) >= ENOUGH else 0.0
        return share > 0.1, share > 0.5, share >= 0.9

    def settled(self, *, used: bool) -> None:
        """Whether the people of a booking came that would have been given back without them."""
        self._used.append(used)

    def started(self, work_s: float, took_s: float, *, held: bool | None = None) -> None:
        """A job has started that was predicted to have so much work before it, after so long of open time.

        ``held``: whether it did so within the range that was told; None where none was, or no wait was.
        """
        if held is not None:
            self._outside = min(0.5, max(0.02, self._outside + _PACE * (OUTSIDE - (not held))))
        if len(self._waits) == KEPT:
            del self._sorted[bisect_left(self._sorted, self._waits.popleft())]
        item = (_log(work_s), _log(took_s) - _log(work_s))
        self._waits.append(item)
        insort(self._sorted, item)

    def spread(self, work_s: float) -> tuple[float, float]:
        """Between what the work is likely to turn out; needs a past that is `known`."""
        size = _log(work_s)
        first = min(bisect_left(self._sorted, (size, 0.0)) - ALIKE // 2, len(self._sorted) - ALIKE)
        errors = sorted(error for _, error in self._sorted[max(0, first) : max(0, first) + ALIKE])
        low, high = (quantile(errors, share) for share in (self._outside / 2, 1 - self._outside / 2))
        return min(work_s, _exp(size + low)), max(work_s, _exp(size + high))

    def left_s(self, estimate_s: float, ran_s: float) -> float:
        """How much longer a run is likely to take after ``ran_s`` seconds: until the end that is told of it."""
        likely_s = self.lengths(estimate_s)[1] if self._lengths else estimate_s
        return max(0.0, likely_s - ran_s)

    def lengths(self, estimate_s: float) -> tuple[float, float, float]:
        """Between what a run of this estimate is likely to take, and what it is likely to take."""
        errors = sorted(self._lengths)
        low, middle, high = (estimate_s * math.exp(quantile(errors, share)) for share in (0.1, 0.5, 0.9))
        return low, middle, high


@dataclass(frozen=True, slots=True)
class Prospect:
    """What a job that has not ended can be told: why it waits, if it does, and the outlook on its start or its end."""

    reason: Reason | None = None
    outlook: Outlook | None = None


NOTHING = Prospect()


def cut(closed: Sequence[tuple[datetime, datetime]], at: datetime) -> list[tuple[datetime, datetime]]:
    """Intervals that were expected to be closed, once the booking that was on at a moment is given back."""
    return [(start, at if start <= at < end else end) for start, end in closed]


def quantile(values: Sequence[float], share: float) -> float:
    """Of sorted values, between the two nearest ones; towards the outside where there are few."""
    place = min(max(share * (len(values) + 1) - 1, 0.0), len(values) - 1.0)
    low = math.floor(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (place - low) * (values[high] - values[low])


def _log(seconds: float) -> float:
    return math.log(max(0.0, seconds) + _FLOOR_S)


def _exp(size: float) -> float:
    return max(0.0, math.exp(size) - _FLOOR_S)

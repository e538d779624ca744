"""Time on a QPU: bookings, their rules, their repetitions and calendars of other programs."""

from __future__ import annotations

from .bookings import BookingService
from .feeds import FeedService
from .ics import write as write_calendar
from .news import Settled, came, stayed_away, tell
from .recurrence import MAX_OCCURRENCES, Occurrences, expand
from .rules import BookingRules

__all__ = [
    "MAX_OCCURRENCES", "BookingRules", "BookingService", "FeedService", "Occurrences", "Settled", "came", "expand",
    "stayed_away", "tell", "write_calendar",
]  # fmt: skip

"""The calendar of a lab, and the one check of a time that comes from outside.

Every time lies in ``[EARLIEST, LATEST)``: far from where arithmetic and other zones run out of years.
"""

from __future__ import annotations

from datetime import UTC, datetime

from .errors import Rejected

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)
_SPAN_S = (LATEST - EARLIEST).total_seconds()


def moment(value: datetime, field: str) -> datetime:
    """A time from outside, in UTC. ``field`` is what its sender calls it.

    Raises
    ------
    Rejected
        it has no time zone, or lies beyond the lab's calendar.
    """
    if value.tzinfo is None:
        raise Rejected(f"{field} needs a time zone: 2030-01-31T09:00:00Z.", code="bad_time", field=field)
    if not EARLIEST <= value < LATEST:
        raise Rejected(
            f"{field} must be a time between the years {EARLIEST.year} and {LATEST.year - 1}.",
            code="bad_time",
            field=field,
        )
    return value.astimezone(UTC)


def nearest(seconds: float) -> datetime:
    """The time so many seconds after 1970, or the end of the calendar that is nearest to it."""
    return datetime.fromtimestamp(max(0.0, min(seconds, _SPAN_S)), UTC)


def after(at: datetime, seconds: float) -> datetime:
    """The time ``seconds`` after ``at``, which may be negative; no further than the calendar goes."""
    return nearest((at - EARLIEST).total_seconds() + seconds)

"""Time on one QPU that belongs to somebody: half-open intervals ``[start_at, end_at)``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate, islice
from typing import Any

from . import times
from .booking_rules import FREE, BookingLimits, BookingMode, Interval
from .errors import BookingConflict, Conflict, Rejected

__all__ = [
    "Booking", "BookingConflict", "BookingMode", "BookingStatus", "Calendar", "active", "book", "following",
    "next_free", "rebook",
]  # fmt: skip
SEARCH_DAYS = 366
"""How far ahead a free interval is looked for, where no horizon says less."""
_NAMED = 20
"""Clashes that a refusal lists, at most."""


class BookingStatus(StrEnum):
    BOOKED = "booked"
    RELEASED = "released"
    DELETED = "deleted"
    NO_SHOW = "no_show"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    id: str
    qpu: str
    booked_by: str
    start_at: datetime
    end_at: datetime
    mode: BookingMode = BookingMode.PRIORITY
    invited: frozenset[str] = frozenset()
    status: BookingStatus = BookingStatus.BOOKED
    used: bool = False
    """Whether its people came."""
    no_show_s: float | None = None
    """Given back when nobody came for so long after its start."""

    def __post_init__(self) -> None:
        if self.start_at.tzinfo is None or self.end_at.tzinfo is None:
            raise ValueError("a booking's times carry a time zone")
        if self.end_at <= self.start_at:
            raise ValueError("a booking ends after it starts")

    @property
    def length(self) -> timedelta:
        return self.end_at - self.start_at

    def covers(self, now: datetime) -> bool:
        return self.start_at <= now < self.end_at

    @property
    def no_show_at(self) -> datetime | None:
        """When it is given back unless its people come; None once they did, or where it never is."""
        return None if self.used or self.no_show_s is None else times.after(self.start_at, self.no_show_s)

    def admits(self, user: str) -> bool:
        """Whether the booking is this person's, by booking it or by invitation."""
        return user == self.booked_by or user in self.invited


def active(bookings: Iterable[Booking], now: datetime) -> Booking | None:
    """The booking that ``now`` falls into; one that was given up counts no more."""
    return next((b for b in bookings if b.covers(now) and b.status is BookingStatus.BOOKED), None)


def following(bookings: Iterable[Booking], now: datetime) -> Booking | None:
    """The next booking that has not begun."""
    ahead = (b for b in bookings if b.start_at > now and b.status is BookingStatus.BOOKED)
    return min(ahead, key=lambda b: b.start_at, default=None)


class Calendar:
    """What is booked, of one QPU or of several that are wanted together; looks only at what may clash.

    ``whole`` brings the calendar that goes on where this one ends: only a refusal looks so far ahead.
    """

    def __init__(self, bookings: Iterable[Booking], *, whole: Callable[[], Calendar] | None = None) -> None:
        self._whole = whole
        booked = (b for b in bookings if b.status is BookingStatus.BOOKED)
        self._bookings = sorted(booked, key=lambda b: b.start_at)
        # How far the bookings up to each one reach: never falls, so it can be searched.
        self._reach = list(accumulate((b.end_at for b in self._bookings), max))

    def whole(self) -> Calendar:
        """The calendar without an end."""
        return self if self._whole is None else self._whole()

    def clashes(self, start_at: datetime, end_at: datetime) -> Iterator[Booking]:
        """The bookings that share a moment with ``[start_at, end_at)``, by their start."""
        for booking in islice(self._bookings, bisect_right(self._reach, start_at), None):
            if booking.start_at >= end_at:
                return
            if booking.end_at > start_at:
                yield booking


def book(
    calendar: Calendar, request: Booking, now: datetime, *, rule: BookingLimits = FREE, own: Collection[Interval] = (),
    free: bool = False,
) -> Booking:  # fmt: skip
    """The booking that ``request`` asks for.

    Parameters
    ----------
    calendar
        what is booked from the request's start on.
    own
        when the person has this QPU besides; see `BookingLimits.check`.
    free
        the rule doesn't bind who asks, a manager, who may also book from an earlier moment on, though not until one.

    Raises
    ------
    Rejected
        it lies in the past or breaks a limit.
    BookingConflict
        it clashes; the error carries what with, and the next free interval of this length.
    """
    if not free:
        rule.check(request.start_at, request.end_at, request.mode, now, own=own)
    elif request.end_at <= now:
        raise Rejected("A booking can't end in the past.", code="in_the_past", field="end_at")
    _refuse_clash(calendar, request, now, FREE if free else rule)
    return request


def rebook(
    calendar: Calendar, before: Booking, after: Booking, now: datetime, *, rule: BookingLimits = FREE,
    own: Collection[Interval] = (), free: bool = False,
) -> Booking:  # fmt: skip
    """``before``, changed into ``after``; ``calendar`` and ``own`` are without it.

    One that has begun keeps its start and may only end earlier; one that is over stays as it is.

    Raises
    ------
    Conflict
        it was given up, has begun or is over.
    """
    if before.status is not BookingStatus.BOOKED:
        raise Conflict(f"This booking is {before.status.replace('_', ' ')}: book anew.", code="booking_ended")
    if not free:
        require_open(before, now)
        if before.start_at <= now:
            _check_begun(before, after, now)
        elif (after.start_at, after.end_at, after.mode) != (before.start_at, before.end_at, before.mode):
            rule.check(after.start_at, after.end_at, after.mode, now, own=own, moved=True)
    _refuse_clash(calendar, after, now, FREE if free else rule)
    return after


def require_open(booking: Booking, now: datetime) -> None:
    """Refuse a booking whose time is over."""
    if booking.end_at <= now:
        raise Conflict("This booking is over.", code="booking_over")


def next_free(
    calendar: Calendar, seconds: float, after: datetime, now: datetime, *, rule: BookingLimits = FREE
) -> tuple[datetime, datetime] | None:
    """The first interval of that length on the rule's grid that nothing is booked in; None: none up to the horizon.

    Raises
    ------
    Rejected
        no booking may be that long.
    """
    length = rule.fit(seconds)
    last = now + timedelta(seconds=rule.horizon_s) if rule.horizon_s is not None else None
    limit = min(filter(None, (last, max(after, now) + timedelta(days=SEARCH_DAYS))))
    start = rule.snap(after)
    while start <= limit:
        end = start + length
        clash = next(calendar.clashes(start, end), None)
        until = clash.end_at if clash is not None else rule.quiet_until(start, end)
        if until is None:
            return start, end
        # Whatever begins before the obstacle's end meets it, too.
        start = rule.snap(until)
    return None


def _check_begun(before: Booking, after: Booking, now: datetime) -> None:
    if after.start_at != before.start_at:
        raise Conflict("This booking has begun: its start stays.", code="already_started", field="start_at")
    if after.mode is not before.mode:
        raise Conflict("This booking has begun: its mode stays.", code="already_started", field="mode")
    if after.end_at > before.end_at:
        message = "This booking has begun: it may end earlier, not later. Book what follows it."
        raise Conflict(message, code="already_started", field="end_at")
    if after.end_at != before.end_at and after.end_at <= now:
        message = "This end is in the past: release the booking to end it now."
        raise Rejected(message, code="in_the_past", field="end_at")


def _refuse_clash(calendar: Calendar, request: Booking, now: datetime, rule: BookingLimits) -> None:
    found = list(islice(calendar.clashes(request.start_at, request.end_at), _NAMED))
    if not found:
        return
    first = found[0]
    free = _free_after(calendar, request, now, rule)
    message = f"{first.qpu} is booked from {_moment(first.start_at)} to {_moment(first.end_at)}"
    message += f" (asked for: {_moment(request.start_at)} to {_moment(request.end_at)})."
    if free is not None:
        message += f" The next free interval begins at {_moment(free[0])}."
    raise BookingConflict(
        message,
        field="start_at",
        start_at=request.start_at.isoformat(),
        end_at=request.end_at.isoformat(),
        clashes=[_outline(booking) for booking in found],
        next_free=None if free is None else {"start_at": free[0].isoformat(), "end_at": free[1].isoformat()},
    )


def _free_after(
    calendar: Calendar, request: Booking, now: datetime, rule: BookingLimits
) -> tuple[datetime, datetime] | None:
    after = max(request.start_at, now) if rule is not FREE else request.start_at
    try:
        return next_free(calendar.whole(), request.length.total_seconds(), after, now, rule=rule)
    except Rejected:  # one that has begun may be longer than a new one
        return None


def _outline(booking: Booking) -> dict[str, Any]:
    """A booking without its people, who may want to stay private; ``Any``: it is JSON."""
    return {
        "id": booking.id,
        "qpu": booking.qpu,
        "start_at": booking.start_at.isoformat(),
        "end_at": booking.end_at.isoformat(),
        "mode": booking.mode.value,
    }


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"

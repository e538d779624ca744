"""What a change makes of a booking, and of the other repetitions of its series."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from msgspec import UNSET, UnsetType, structs

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.booking_rules import zone
from qpi_jupyter.core.bookings import Booking, BookingMode
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire.bookings import BookingChange
from qpi_server.store.bookings import BookingRow

from .booking_checks import interval, moment, require_mode, title
from .recurrence import on_the_wall


def changed(principal: Principal, row: BookingRow, request: BookingChange, now: datetime) -> BookingRow:
    """The row with what the request names; the same row if that is nothing new."""
    old = row.booking
    start_at = old.start_at if request.start_at is UNSET else request.start_at
    end_at = old.end_at if request.end_at is UNSET else request.end_at
    start_at, end_at = interval(start_at, end_at)
    mode = old.mode if request.mode is UNSET else BookingMode(request.mode)
    if BookingMode.MAINTENANCE in (mode, old.mode):
        require_mode(principal, BookingMode.MAINTENANCE)
    invited = old.invited if request.invited is UNSET else frozenset(request.invited) - {old.booked_by}
    name = row.title if request.title is UNSET else title(request.title)
    booking = replace(old, start_at=start_at, end_at=end_at, mode=mode, invited=invited)
    if (booking, name) == (old, row.title):
        return row
    used_at = row.used_at if start_at == old.start_at else None
    booking = replace(booking, used=used_at is not None)
    return replace(new_version(row, booking, now), title=name, used_at=used_at)


def new_version(row: BookingRow, booking: Booking, now: datetime) -> BookingRow:
    return replace(row, booking=booking, version=row.version + 1, changed_at=now)


def repeated(request: BookingChange, first: BookingRow, row: BookingRow) -> BookingChange:
    """What ``request`` says of ``first``, said of ``row``: its ends move as far on the wall clock of the series."""
    if row.booking.start_at == first.booking.start_at or (request.start_at is UNSET and request.end_at is UNSET):
        return request
    tz = zone(row.timezone)

    def wall(at: datetime) -> datetime:
        return at.astimezone(tz).replace(tzinfo=None)

    def moved(own: datetime, was: datetime, to: datetime | UnsetType, field: str) -> datetime:
        return wall(own) if to is UNSET else wall(own) + (wall(moment(to, field)) - wall(was))

    start = moved(row.booking.start_at, first.booking.start_at, request.start_at, "start_at")
    end = moved(row.booking.end_at, first.booking.end_at, request.end_at, "end_at")
    start_at, end_at = on_the_wall(start, end - start, row.booking.length, tz)
    return structs.replace(request, start_at=start_at.astimezone(UTC), end_at=end_at.astimezone(UTC))


def require_apart(rows: Iterable[BookingRow]) -> None:
    """Refuse what would clash with itself: the calendar that a change is looked up in is without all of them."""
    by_start = sorted((row.booking for row in rows), key=lambda booking: (booking.qpu, booking.start_at))
    for one, other in pairwise(by_start):
        if one.qpu == other.qpu and other.start_at < one.end_at:
            message = f"The repetitions would overlap each other at {other.start_at:%Y-%m-%d %H:%M} UTC."
            raise Rejected(message, code="series_overlaps", field="end_at")

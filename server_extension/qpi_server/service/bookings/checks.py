"""What every request about bookings is held to, and how it is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from qpi_jupyter.core import (
    BookingMode,
    BookingStatus,
    Conflict,
    Forbidden,
    Permission,
    Principal,
    Rejected,
    allows,
    moment,
)
from qpi_server.store import BookingRow

LONGEST = timedelta(days=366)


def interval(start_at: datetime, end_at: datetime) -> tuple[datetime, datetime]:
    start, end = moment(start_at, "start_at"), moment(end_at, "end_at")
    if end <= start:
        raise Rejected("The end must be after the start.", code="reversed", field="end_at")
    if end - start > LONGEST:
        raise Rejected(f"A booking must be at most {LONGEST.days} days long.", code="too_long", field="end_at")
    return start, end


def title(title: str) -> str:
    if not title.isprintable():
        raise Rejected("A title must be one line of text.", code="bad_title", field="title")
    return title.strip()


def manages(principal: Principal) -> bool:
    return allows(principal, Permission.BOOKINGS_WRITE_ANY)


def require_manager(principal: Principal, message: str, field: str) -> None:
    if not manages(principal):
        raise Forbidden(message, code="managers_only", field=field)


def require_mode(principal: Principal, mode: BookingMode) -> None:
    if mode is BookingMode.MAINTENANCE:
        require_manager(principal, "Only a manager books maintenance.", "mode")


def require_own(principal: Principal, row: BookingRow) -> None:
    if not allows(principal, Permission.BOOKINGS_WRITE, row.booking.booked_by):
        raise Forbidden("This booking is somebody else's.", code="not_yours")


def require_standing(row: BookingRow) -> None:
    if row.booking.status is not BookingStatus.BOOKED:
        raise Conflict(f"This booking is {row.booking.status.replace('_', ' ')} already.", code="booking_ended")


def cursor_of(row: BookingRow) -> str:
    return f"{row.booking.start_at.timestamp()!r}~{row.booking.id}"


def read_cursor(text: str) -> tuple[datetime, str]:
    start, tilde, booking_id = text.partition("~")
    try:
        if not tilde:
            raise ValueError(text)
        return moment(datetime.fromtimestamp(float(start), UTC), "after"), booking_id
    except (ValueError, OverflowError, OSError) as error:
        message = "after is what an earlier answer gave as next."
        raise Rejected(message, code="bad_query", field="after") from error

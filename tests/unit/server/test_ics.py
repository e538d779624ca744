"""Calendars out, as others' programs read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from qpi_jupyter.core.bookings import Booking, BookingMode, BookingStatus
from qpi_server.service.bookings import write_calendar
from qpi_server.store.bookings import BookingRow

NOW = datetime(2030, 1, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def row(title: str = "", status: BookingStatus = BookingStatus.BOOKED, **more: object) -> BookingRow:
    booking = Booking(
        id="bk-1", qpu="q1", booked_by="ann", start_at=NOW + HOUR, end_at=NOW + 2 * HOUR, mode=BookingMode.EXCLUSIVE,
        invited=frozenset({"bob"}), status=status,
    )  # fmt: skip
    return BookingRow(booking=booking, title=title, version=3, created_at=NOW, changed_at=NOW, **more)  # type: ignore[arg-type]


def test_a_calendar_has_what_programs_look_for() -> None:
    text = write_calendar("Bookings of q1", [(row("Rabi"), True)])
    assert text.endswith("END:VCALENDAR\r\n")
    assert "REFRESH-INTERVAL;VALUE=DURATION:PT15M" in text
    assert "X-PUBLISHED-TTL:PT15M" in text
    calendar = Calendar.from_ical(text)
    assert (str(calendar["VERSION"]), str(calendar["METHOD"])) == ("2.0", "PUBLISH")
    assert str(calendar["X-WR-CALNAME"]) == "Bookings of q1"
    [event] = calendar.walk("VEVENT")
    assert str(event["UID"]) == "bk-1@qpi-jupyter"
    assert event["SEQUENCE"] == 3
    assert (event.start, event.end, event.decoded("DTSTAMP")) == (NOW + HOUR, NOW + 2 * HOUR, NOW)
    assert (str(event["SUMMARY"]), str(event["LOCATION"]), str(event["STATUS"])) == ("q1: Rabi", "q1", "CONFIRMED")


def test_text_is_escaped_and_lines_are_folded() -> None:
    title = "a,b;c\\d — " + "ü" * 120
    text = write_calendar("x", [(row(title), True)])
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")
    [event] = Calendar.from_ical(text).walk("VEVENT")
    assert str(event["SUMMARY"]) == f"q1: {title}"


@pytest.mark.parametrize(
    ("status", "said"),
    [(BookingStatus.BOOKED, "CONFIRMED"), (BookingStatus.DELETED, "CANCELLED"), (BookingStatus.NO_SHOW, "CANCELLED")],
)
def test_what_was_given_up_is_cancelled(status: BookingStatus, said: str) -> None:
    assert f"STATUS:{said}\r\n" in write_calendar("x", [(row(status=status), True)])


def test_without_names_only_the_time_is_told() -> None:
    text = write_calendar("x", [(row("secret"), False)])
    assert not [word for word in ("secret", "ann", "bob") if word in text]
    assert "SUMMARY:q1: booked\r\n" in text

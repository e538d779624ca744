"""Calendars out, calendar files in: as others' programs write and read them."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from qpi_jupyter.core.bookings import Booking, BookingMode, BookingStatus
from qpi_jupyter.core.errors import Rejected
from qpi_server.service import ics
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
    text = ics.write("Bookings of q1", [(row("Rabi"), True)])
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
    text = ics.write("x", [(row(title), True)])
    assert all(len(line.encode()) <= 75 for line in text.split("\r\n"))
    assert "\n" not in text.replace("\r\n", "")
    [event] = Calendar.from_ical(text).walk("VEVENT")
    assert str(event["SUMMARY"]) == f"q1: {title}"


@pytest.mark.parametrize(
    ("status", "said"),
    [(BookingStatus.BOOKED, "CONFIRMED"), (BookingStatus.DELETED, "CANCELLED"), (BookingStatus.NO_SHOW, "CANCELLED")],
)
def test_what_was_given_up_is_cancelled(status: BookingStatus, said: str) -> None:
    assert f"STATUS:{said}\r\n" in ics.write("x", [(row(status=status), True)])


def test_without_names_only_the_time_is_told() -> None:
    text = ics.write("x", [(row("secret"), False)])
    assert not [word for word in ("secret", "ann", "bob") if word in text]
    assert "SUMMARY:q1: booked\r\n" in text


def file(*events: str, head: str = "") -> str:
    blocks = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{head}{blocks}END:VCALENDAR\r\n"


def test_events_are_read_in_their_time_zones() -> None:
    utc, berlin, windows, lasting = ics.read(file(
        "UID:1\r\nSUMMARY:One\\, two\r\nDTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z",
        "UID:2\r\nDTSTART;TZID=Europe/Berlin:20300701T090000\r\nDTEND;TZID=Europe/Berlin:20300701T100000\r\n"
        "RRULE:FREQ=WEEKLY;COUNT=3;BYDAY=MO,WE",
        'UID:3\r\nDTSTART;TZID="W. Europe Standard Time":20300701T090000\r\n'
        'DTEND;TZID="W. Europe Standard Time":20300701T100000',
        "UID:4\r\nDTSTART:20300101T090000Z\r\nDURATION:PT90M",
    ))  # fmt: skip
    assert (utc.title, utc.start_at, utc.end_at, utc.rrule) == ("One, two", NOW, NOW + HOUR, None)
    assert (berlin.start_at, berlin.timezone) == (datetime(2030, 7, 1, 7, tzinfo=UTC), "Europe/Berlin")
    assert berlin.rrule == "FREQ=WEEKLY;COUNT=3;BYDAY=MO,WE"
    assert (windows.start_at, windows.timezone) == (datetime(2030, 7, 1, 7, tzinfo=UTC), "Europe/Berlin")
    assert lasting.end_at == NOW + 1.5 * HOUR


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ("UID:1\r\nDTSTART;VALUE=DATE:20300101", "event_whole_day"),
        ("UID:1\r\nDTSTART:20300101T090000\r\nDTEND:20300101T100000", "bad_timezone"),
        ("UID:1\r\nDTSTART;TZID=Nowhere:20300101T090000\r\nDTEND;TZID=Nowhere:20300101T100000", "bad_timezone"),
        ("UID:1\r\nDTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z\r\nSTATUS:CANCELLED", "event_cancelled"),
        (
            "UID:1\r\nDTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z\r\nRRULE:FREQ=DAILY;COUNT=3\r\n"
            "EXDATE:20300102T090000Z",
            "event_exceptions",
        ),
        ("UID:1\r\nSUMMARY:no start", "bad_event"),
        ("UID:1\r\nDTSTART:20300101T090000Z\r\nRRULE:FREQ=DAILY\r\nRRULE:FREQ=WEEKLY", "bad_rrule"),
        ("UID:1\r\nDTSTART:yesterday\r\nDTEND:today", "bad_event"),
    ],
)
def test_an_event_that_is_no_booking_says_why(event: str, code: str) -> None:
    good = "UID:2\r\nDTSTART:20300101T090000Z\r\nDTEND:20300101T100000Z"
    bad, fine = ics.read(file(event, good))
    assert bad.refusal is not None
    assert bad.refusal.code == code
    with pytest.raises(Rejected):
        bad.request("q1")
    assert fine.request("q1").start_at == NOW


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "BEGIN:VCALENDAR", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", "END:VEVENT", "\x00",
        file(*["UID:1"] * 501),
        file("UID:1\r\nDTSTART;TZID=Europe:20300101T090000\r\nDTEND;TZID=Europe:20300101T100000"),
        "BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\n" * 1900,
        "BEGIN:VEVENT\r\n" * 100_000,
    ],
)  # fmt: skip
def test_what_is_no_calendar_is_refused(text: str) -> None:
    with pytest.raises(Rejected) as caught:
        ics.read(text)
    assert caught.value.code == "bad_calendar"


ZONE = (
    "BEGIN:VTIME\r\n ZONE\r\nTZID:Mine\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\n"
    "TZOFFSETTO:+0200\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n"
)


@pytest.mark.parametrize(
    "text",
    [
        file("UID:1\r\nDTSTART;TZID=Mine:20300101T090000\r\nDTEND;TZID=Mine:20300101T100000", head=ZONE),
        file("UID:1\r\nSUMMARY:" + "x\r\n " * 250_000),
        file("UID:1\r\nDTSTART;" + "A=" * 500_000 + ":20300101T090000Z"),
        file('UID:1\r\nDTSTART;X="' + '";"' * 300_000 + ":20300101T090000Z"),
        file("UID:1\r\nDTSTART:20300101T090000Z\r\nRRULE:FREQ=DAILY;BYDAY=" + "MO," * 300_000 + "MO"),
        file("UID:1\r\nSUMMARY:" + "\\" * 1_000_000),
    ],
)
def test_a_bomb_does_not_go_off(text: str) -> None:
    began = time.process_time()
    try:
        events = ics.read(text)
    except Rejected:
        events = []
    assert time.process_time() - began < 5.0
    assert all(event.refusal is not None for event in events)

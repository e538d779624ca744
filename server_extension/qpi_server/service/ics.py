"""iCalendar (RFC 5545): bookings as a calendar that others subscribe to, and their files as requests for bookings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from icalendar import Calendar, Event

from qpi_jupyter.core.bookings import BookingStatus
from qpi_jupyter.core.errors import QpiError, Rejected
from qpi_jupyter.wire.bookings import BookingIn
from qpi_server.store.bookings import BookingRow

MAX_EVENTS = 500
_MAX_COMPONENTS = 2_000
REFRESH = timedelta(minutes=15)
_FOLD = re.compile(r"\r?\n[ \t]")
_ZONES = re.compile(r"^BEGIN:VTIMEZONE\s*$.*?^END:VTIMEZONE\s*$\n?", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_LONG = re.compile(r"^(?:RRULE[:;].{2000}|.{65536})", re.IGNORECASE | re.MULTILINE)
_COMPONENT = re.compile(r"^BEGIN:", re.IGNORECASE | re.MULTILINE)


def write(name: str, rows: Iterable[tuple[BookingRow, bool]]) -> str:
    """The calendar of ``rows``, every one an event in UTC, each with whether its people may be named."""
    calendar = Calendar()
    calendar.add("prodid", "-//qpi-jupyter//bookings//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("x-wr-timezone", "UTC")
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT15M")
    for row, names in rows:
        calendar.add_component(_event(row, names=names))
    written: bytes = calendar.to_ical()
    return written.decode()


def _event(row: BookingRow, *, names: bool) -> Event:
    booking = row.booking
    gone = booking.status is BookingStatus.DELETED or (
        booking.status is not BookingStatus.BOOKED and booking.end_at > row.changed_at
    )
    event = Event()
    event.add("uid", f"{booking.id}@qpi-jupyter")
    event.add("sequence", row.version)
    event.add("dtstamp", row.changed_at)  # of a published calendar: when what it says was last changed
    event.add("created", row.created_at)
    event.add("last-modified", row.changed_at)
    event.add("dtstart", booking.start_at)
    event.add("dtend", booking.end_at)
    event.add("summary", _summary(row, names=names))
    event.add("location", booking.qpu)
    event.add("categories", [booking.mode.value])
    event.add("status", "CANCELLED" if gone else "CONFIRMED")
    event.add("transp", "TRANSPARENT" if gone else "OPAQUE")
    if names and booking.invited:
        event.add("description", "With " + ", ".join(sorted(booking.invited)))
    return event


def _summary(row: BookingRow, *, names: bool) -> str:
    booking = row.booking
    if not names:
        return f"{booking.qpu}: booked"
    return f"{booking.qpu}: {row.title or booking.booked_by}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IcsEvent:
    """A VEVENT; where it cannot be a booking, ``refusal`` says why."""

    uid: str
    title: str
    start_at: datetime | None = None
    end_at: datetime | None = None
    rrule: str | None = None
    timezone: str = "UTC"
    refusal: QpiError | None = None

    def request(self, qpu: str) -> BookingIn:
        """The event as a request to book ``qpu``; raises its refusal."""
        if self.refusal is not None:
            raise self.refusal
        assert self.start_at is not None
        assert self.end_at is not None
        return BookingIn(
            qpu=qpu,
            start_at=self.start_at,
            end_at=self.end_at,
            title=self.title,
            rrule=self.rrule,
            timezone=self.timezone,
        )


def read(text: str) -> list[IcsEvent]:
    """The events of a file, in its order.

    A file's own definitions of time zones are left out, and with them the rules in them, which may be endless: TZID
    must name an IANA (or Windows) time zone.

    Raises
    ------
    Rejected
        it is no calendar, or too much of one.
    """
    text = _ZONES.sub("", _FOLD.sub("", text))
    if len(_COMPONENT.findall(text)) > _MAX_COMPONENTS or _LONG.search(text):
        raise Rejected("The file has too many parts, or too long ones.", code="bad_calendar")
    try:
        calendars = Calendar.from_ical(text, multiple=True)
        events: list[Any] = [event for calendar in calendars for event in calendar.walk("VEVENT")]
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OSError) as error:
        # the parser of a foreign format fails as its input leads it to; a folder of time zones is an OSError
        raise Rejected(f"This is no iCalendar file: {error}", code="bad_calendar") from error
    if not events:
        raise Rejected("The file has no events (VEVENT).", code="bad_calendar")
    if len(events) > MAX_EVENTS:
        message = f"The file has {len(events)} events; at most {MAX_EVENTS} are read."
        raise Rejected(message, code="bad_calendar")
    return [_read_event(event) for event in events]


def _read_event(event: Event) -> IcsEvent:
    uid, summary = _text(event, "UID"), _text(event, "SUMMARY")
    try:
        return _booking(event, uid, summary)
    except QpiError as error:
        return IcsEvent(uid=uid, title=summary, refusal=error)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        # a property of a foreign file may be anything
        refusal = Rejected(f"The event cannot be read: {error}", code="bad_event")
        return IcsEvent(uid=uid, title=summary, refusal=refusal)


def _booking(event: Event, uid: str, summary: str) -> IcsEvent:
    if _text(event, "STATUS").upper() == "CANCELLED":
        raise Rejected("The event is cancelled.", code="event_cancelled")
    for name in ("RECURRENCE-ID", "RDATE", "EXDATE", "EXRULE"):
        if name in event:
            raise Rejected(f"Exceptions to a repetition ({name}) are not read.", code="event_exceptions")
    start_at, end_at = _moment(event.start), _moment(event.end)
    rules = event.rrules
    if len(rules) > 1:
        raise Rejected("The event has more than one RRULE.", code="bad_rrule")
    timezone = str(getattr(event.start.tzinfo, "key", "UTC")) if isinstance(event.start, datetime) else "UTC"
    return IcsEvent(
        uid=uid,
        title=summary,
        start_at=start_at,
        end_at=end_at,
        rrule=rules[0].to_ical().decode() if rules else None,
        timezone=timezone,
    )


def _moment(value: date | datetime) -> datetime:
    if not isinstance(value, datetime):
        raise Rejected("An event of whole days has no hours to book.", code="event_whole_day")
    if value.tzinfo is None:
        message = "The event has no time zone that is known: use UTC, or a TZID such as Europe/Berlin."
        raise Rejected(message, code="bad_timezone")
    return value.astimezone(UTC)


def _text(event: Event, name: str) -> str:
    """A property as one printable line of at most 200 characters."""
    value = event.get(name)
    line = "".join(c if c.isprintable() else " " for c in str(value if value is not None else ""))
    return line.strip()[:200]

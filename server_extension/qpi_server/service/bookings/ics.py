"""iCalendar (RFC 5545) files: bookings as a calendar that others subscribe to, and calendars as bookings.

The files of others are read by `qpi_server.calendars`, in a process of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

import msgspec
from icalendar import Calendar, Event

from qpi_jupyter.core import BookingStatus, Principal, QpiError, Rejected, limited
from qpi_jupyter.wire.bookings import BookingModel, Imported
from qpi_server.calendars.events import Answer, IcsEvent
from qpi_server.service.base import Turns, answer_of
from qpi_server.store import BookingRow

from .plans import MAX_ROWS

REFRESH = timedelta(minutes=15)


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


FILES = 2
"""Files that are imported at once; one of each person."""
READING_S = 20.0
"""How long the reading of one may take."""


class Imports:
    """Imports files in turn. Whoever leaves ends the reading; what is booked by then stays booked."""

    def __init__(self) -> None:
        self._turns = Turns("importing a calendar file", places=FILES, waiting=2)

    async def run(
        self, principal: Principal, text: str, create: Callable[[IcsEvent], Awaitable[list[BookingModel]]]
    ) -> Imported:
        """Every event of a file, made by ``create`` or refused.

        Raises
        ------
        Rejected
            it is no calendar, or has too many events.
        TooMany
            too many files of ``principal`` are under way.
        """
        made: list[BookingModel] = []
        refused: list[dict[str, str]] = []
        async with self._turns.turn(principal.name, free=not limited(principal)):
            for event in await _events(text):
                try:
                    if len(made) >= MAX_ROWS:
                        raise Rejected(f"One file brings at most {MAX_ROWS} bookings.", code="too_many_occurrences")
                    made += await create(event)
                except QpiError as error:
                    said = {"code": error.code, "reason": error.message}
                    refused.append({"uid": event.uid, "title": event.title, **said})
        return Imported(bookings=made, refused=refused)


async def _events(text: str) -> list[IcsEvent]:
    """The events of a calendar file, which a process of its own reads: the file is anybody's."""
    try:
        output = await answer_of("qpi_server.calendars.worker", text.encode(), timeout_s=READING_S)
        answer = msgspec.json.decode(output, type=Answer)
    except (TimeoutError, msgspec.DecodeError) as error:
        message = "The file takes too long to read: import fewer events at a time."
        raise Rejected(message, code="bad_calendar") from error
    if answer.problem is not None:
        raise QpiError.from_dict(answer.problem)
    return answer.events

"""What one may ask a lab about bookings: book, list, next free, a calendar file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from qpi_jupyter.core import BookingConflict, Rejected
from qpi_jupyter.wire.bookings import BookingIn, BookingList, BookingModel, Imported, Mode

from . import times
from .booking import DEFAULT_S, BookingHandle, BookingTable, FreeTime, explained, interval
from .http import Http, path
from .portal import both

_PAGE = 500
_TRIES = 5
"""How often the next free interval is looked for again when somebody else was quicker."""
_MANY_S = 120.0
"""How long a file with hundreds of events may take."""


class ImportedTable(BookingTable):
    """The bookings that a calendar file brought; ``refused`` has its other events, each with the reason."""

    def __init__(self, items: list[BookingHandle], refused: list[dict[str, str]]) -> None:
        super().__init__(items)
        self.refused = refused

    def __repr__(self) -> str:
        return "\n".join([super().__repr__(), *(f"Refused: {line}" for line in map(_line, self.refused))])

    def _repr_html_(self) -> str:
        lines = "".join(f"<li>{escape(_line(event))}</li>" for event in self.refused)
        return super()._repr_html_() + (f"<p>Refused:</p><ul>{lines}</ul>" if lines else "")


class Bookings:
    """What a `Lab` knows about bookings."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def book(
        self,
        qpu: str | Sequence[str],
        start: times.When | None = None,
        end: times.When | None = None,
        *,
        duration: times.Length | None = None,
        mode: Mode = "priority",
        title: str = "",
        invite: Sequence[str] = (),
        repeat: str | None = None,
        timezone: str | None = None,
    ) -> BookingHandle | BookingTable:
        """Book a QPU; several QPUs, or a repetition, give a table of bookings: all of them, or none.

        Parameters
        ----------
        start
            an aware datetime, or by the clock of ``timezone``: ``"14:00"`` (the next one), ``"tomorrow 9:00"``,
            ``"friday 9:00"``, ``"2026-05-04 14:00"``, a naive datetime; ``"now"``; ``"+30min"``. Without it, the next
            free interval of this length.
        end, duration
            one of them; an hour without either. ``"2h"``, ``"1h 30min"``, a timedelta, seconds.
        mode
            ``priority``: others may use what you leave idle; ``exclusive``: nobody else; ``maintenance``: for managers.
        invite
            people who may use the time, too.
        repeat
            an RFC 5545 rule, for example ``"FREQ=WEEKLY;COUNT=10"``; it keeps to the clock of ``timezone``.
        timezone
            an IANA name; else the kernel's own.

        Raises
        ------
        BookingConflict
            the QPU is not free then; ``next_free_at`` says when it is.
        Rejected
            what else the lab's rules have against it.
        """
        zone = times.zone_of(timezone)
        name = timezone or times.zone_name(zone)
        if repeat is not None and name is None:
            raise Rejected("Say in which time zone it repeats: timezone='Europe/Stockholm'.", code="bad_timezone")
        several = not isinstance(qpu, str)
        wanted: dict[str, Any] = {
            "mode": mode, "title": title, "invited": list(invite), "rrule": repeat, "timezone": name or "UTC",
            "qpus": list(qpu) if several else [], "qpu": None if several else qpu,
        }  # fmt: skip
        if start is None:
            if several or end is not None:
                raise Rejected(
                    "Say when it starts; the next free time is looked for on one QPU, by a duration.",
                    code="no_start", field="start_at",
                )  # fmt: skip
            made = await self._book_next_free(str(qpu), times.seconds(duration or DEFAULT_S), wanted)
        else:
            start_at, end_at = interval(start, end, duration, timezone)
            made = await self._create(BookingIn(start_at=start_at, end_at=end_at, **wanted))
        table = BookingTable([BookingHandle(self.http, model) for model in made.bookings])
        return table if several or repeat is not None else table[0]

    async def _book_next_free(self, qpu: str, length_s: float, wanted: dict[str, Any]) -> BookingList:
        for tries_left in reversed(range(_TRIES)):
            free = await self.next_free.aio(qpu, length_s)
            try:
                return await self._create(BookingIn(start_at=free.start_at, end_at=free.end_at, **wanted))
            except BookingConflict:
                # Somebody was quicker.
                if not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _create(self, booking: BookingIn) -> BookingList:
        try:
            return await self.http.call("POST", "v1/bookings", BookingList, body=booking, once=True)
        except BookingConflict as error:
            length_s = (booking.end_at - booking.start_at).total_seconds()
            raise explained(error, f"lab.book({booking.qpu!r}, ", length_s) from error

    @both
    async def bookings(
        self,
        qpu: str | None = None,
        *,
        mine: bool = True,
        start: times.When | None = None,
        end: times.When | None = None,
    ) -> BookingTable:
        """Bookings that are not over, by their start: yours, or with ``mine=False`` everybody's.

        Parameters
        ----------
        start, end
            only what overlaps this time, which may be past; as in `book`, and ``"today"``.
        """
        zone, now = times.zone_of(), datetime.now(UTC)
        start_at = now if start is None else times.moment(start, zone, now)
        end_at = None if end is None else times.moment(end, zone, now, after=start_at)
        models = await self.booked(qpu, start_at, end_at, mine=mine)
        return BookingTable([BookingHandle(self.http, model) for model in models])

    @both
    async def booking(self, booking_id: str) -> BookingHandle:
        """The booking with this id."""
        return BookingHandle(self.http, await self.http.call("GET", f"v1/bookings/{path(booking_id)}", BookingModel))

    async def booked(
        self, qpu: str | None, start_at: datetime, end_at: datetime | None, *, mine: bool = False
    ) -> list[BookingModel]:
        """Every booking that overlaps this time."""
        params = {"mine": mine, "qpu": qpu or None, "start": start_at, "end": end_at, "limit": _PAGE}
        pages = self.http.pages("v1/bookings", BookingList, params)
        return [booking async for page in pages for booking in page.bookings]

    @both
    async def next_free(
        self, qpu: str, duration: times.Length = DEFAULT_S, *, after: times.When | None = None
    ) -> FreeTime:
        """The first free interval of this length."""
        zone, now = times.zone_of(), datetime.now(UTC)
        start = None if after is None else times.moment(after, zone, now, after=now)
        params = {"qpu": qpu, "seconds": times.seconds(duration), "after": start}
        return await self.http.call("GET", "v1/bookings/next-free", FreeTime, params=params)

    @both
    async def import_bookings(self, file: str | os.PathLike[str] | bytes, qpu: str) -> ImportedTable:
        """Book every event of an iCalendar file on a QPU.

        Parameters
        ----------
        file
            where the .ics file is, or its content as bytes; up to 1 MiB and 500 events.

        Raises
        ------
        Rejected
            it is no calendar. Events that could not be booked are no error: ``refused`` has them.
        """
        data = file if isinstance(file, bytes) else Path(file).read_bytes()
        found = await self.http.call(
            "POST", "v1/bookings/import", Imported, params={"qpu": qpu}, body=msgspec.Raw(data),
            headers={"Content-Type": "text/calendar"}, answer_s=_MANY_S, once=True,
        )  # fmt: skip
        return ImportedTable([BookingHandle(self.http, model) for model in found.bookings], found.refused)


def _line(event: dict[str, str]) -> str:
    return f"{event['title'] or event['uid']}: {event['reason']}"

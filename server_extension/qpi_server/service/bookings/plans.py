"""What a request asks for, as rows: new bookings, checked, repeated, one for each QPU; and changed ones."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from msgspec import UNSET, UnsetType, structs

from qpi_jupyter.core import SEARCH_DAYS, Booking, BookingLimits, BookingMode, Principal, Rejected, moment, zone
from qpi_jupyter.wire.bookings import BookingChange, BookingIn
from qpi_server.store import BookingRow, SeriesRow

from .checks import interval, manages, require_manager, require_mode, title
from .recurrence import Occurrences, expand, on_the_wall

MAX_ROWS = 2_000
"""Bookings that one request may make: repetitions times QPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rows to write, occurrence by occurrence, and in each QPU by QPU."""

    qpus: Sequence[str]
    owner: str
    rule: BookingLimits
    now: datetime
    rows: list[BookingRow]
    series: SeriesRow | None
    cut_at: datetime | None
    """Where a repetition without an end was cut."""


def first_interval(principal: Principal, request: BookingIn) -> tuple[datetime, datetime]:
    """The first interval of a request that ``principal`` may make; what is booked matters later."""
    if request.booked_by not in (None, principal.name):
        require_manager(principal, "Only a manager books for somebody else.", "booked_by")
    require_mode(principal, BookingMode(request.mode))
    zone(request.timezone)
    title(request.title)
    return interval(request.start_at, request.end_at)


async def plan(
    principal: Principal,
    request: BookingIn,
    first: tuple[datetime, datetime],
    qpus: Sequence[str],
    *,
    rule: BookingLimits,
    now: datetime,
    without: Collection[datetime] = (),
) -> Plan:
    """What ``request``, whose first interval is ``first``, comes to under ``rule``; of a series no repetition that
    would begin at one of ``without``.

    Raises
    ------
    Rejected
        the repetition is none, or is too much.
    """
    owner = request.booked_by or principal.name
    found, series = Occurrences(intervals=[first]), None
    if request.rrule is not None:
        until = _last_start(principal, first[0], rule, now)
        found = await asyncio.to_thread(expand, request.rrule, *first, request.timezone, until=until, without=without)
        if len(found.intervals) * len(qpus) > MAX_ROWS:
            message = f"One request makes at most {MAX_ROWS} bookings: repetitions times QPUs."
            raise Rejected(message, code="too_many_occurrences", field="rrule")
        series = SeriesRow(
            id=f"ser-{secrets.token_hex(8)}",
            rrule=request.rrule,
            timezone=request.timezone,
            booked_by=owner,
            created_at=now,
        )
    return Plan(
        qpus=qpus,
        owner=owner,
        rule=rule,
        now=now,
        rows=[
            _row(request, qpu, start_at, end_at, slot, owner=owner, series=series, rule=rule, now=now)
            for start_at, end_at in found.intervals
            for slot in [f"slot-{secrets.token_hex(8)}" if request.qpus else None]
            for qpu in qpus
        ],
        series=series,
        cut_at=found.cut_at,
    )


def _last_start(principal: Principal, first: datetime, rule: BookingLimits, now: datetime) -> datetime:
    """How far a repetition without an end goes."""
    year = timedelta(days=SEARCH_DAYS)
    if manages(principal):
        return max(now, first) + year
    return now + (year if rule.horizon_s is None else min(year, timedelta(seconds=rule.horizon_s)))


def _row(
    request: BookingIn,
    qpu: str,
    start_at: datetime,
    end_at: datetime,
    slot: str | None,
    *,
    owner: str,
    series: SeriesRow | None,
    rule: BookingLimits,
    now: datetime,
) -> BookingRow:
    mode = BookingMode(request.mode)
    booking = Booking(
        id=f"bk-{secrets.token_hex(8)}",
        qpu=qpu,
        booked_by=owner,
        start_at=start_at,
        end_at=end_at,
        mode=mode,
        invited=frozenset(request.invited) - {owner},
        no_show_s=None if mode is BookingMode.MAINTENANCE else rule.no_show_s,
    )
    return BookingRow(
        booking=booking,
        title=title(request.title),
        series_id=None if series is None else series.id,
        slot_id=slot,
        timezone=request.timezone,
        created_at=now,
        changed_at=now,
    )


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

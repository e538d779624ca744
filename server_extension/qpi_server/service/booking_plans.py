"""A request for bookings as the rows that it asks for: checked, repeated, one for each QPU."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.booking_rules import BookingRule, zone
from qpi_jupyter.core.bookings import SEARCH_DAYS, Booking, BookingMode
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire.bookings import BookingIn
from qpi_server.store.bookings import BookingRow, SeriesRow

from .booking_checks import interval, manages, require_manager, require_mode, title
from .recurrence import Occurrences, expand

MAX_ROWS = 2_000
"""Bookings that one request may make: repetitions times QPUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Rows to write, occurrence by occurrence, and in each QPU by QPU."""

    qpus: Sequence[str]
    owner: str
    rule: BookingRule
    now: datetime
    rows: list[BookingRow]
    series: SeriesRow | None
    cut_at: datetime | None
    """Where a repetition without an end was cut."""


def checked(principal: Principal, request: BookingIn) -> tuple[datetime, datetime]:
    """The first interval of a request that ``principal`` may make; what is booked matters later."""
    if request.booked_by not in (None, principal.name):
        require_manager(principal, "Only a manager books for somebody else.", "booked_by")
    require_mode(principal, BookingMode(request.mode))
    zone(request.timezone)
    title(request.title)
    return interval(request.start_at, request.end_at)


async def plan(
    principal: Principal, request: BookingIn, qpus: Sequence[str], *, rule: BookingRule, now: datetime
) -> Plan:
    """What ``request`` comes to under ``rule``.

    Raises
    ------
    Rejected, Forbidden
        it is no booking, or not one that ``principal`` may ask for.
    """
    first = checked(principal, request)
    owner = request.booked_by or principal.name
    found, series = Occurrences(intervals=[first]), None
    if request.rrule is not None:
        until = _last_start(principal, first[0], rule, now)
        found = await asyncio.to_thread(expand, request.rrule, *first, request.timezone, until=until)
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


def _last_start(principal: Principal, first: datetime, rule: BookingRule, now: datetime) -> datetime:
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
    rule: BookingRule,
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

"""Repetitions: RFC 5545 rules as lists of intervals, by the wall clock of a time zone, and never without bound."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from qpi_jupyter.core import Rejected, times, zone
from qpi_jupyter.core.recurrence import MAX_YEARS, Rule, after_years, parse, refuse

MAX_OCCURRENCES = 400
_UNTIL = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """The intervals (UTC) of a rule. ``cut_at``: where a rule without an end was cut."""

    intervals: list[tuple[datetime, datetime]]
    cut_at: datetime | None = None


def expand(
    rule: str,
    start_at: datetime,
    end_at: datetime,
    timezone: str,
    *,
    until: datetime,
    without: Collection[datetime] = (),
) -> Occurrences:
    """The repetitions of ``[start_at, end_at)``; one without an end goes as far as ``until``.

    Both ends keep the time that the clock on the wall of ``timezone`` shows, over daylight saving. A start that this
    clock leaves out is as much later; of one that it shows twice the first is meant. Those that would begin at one of
    ``without`` are left out.

    Raises
    ------
    Rejected
        it is no rule, repeats too often or too many times, or never.
    """
    tz, parsed = zone(timezone), parse(rule)
    start, end = (at.astimezone(tz).replace(tzinfo=None) for at in (start_at, end_at))
    last = _last(parsed, start, tz, until)
    found: list[datetime] = []
    cut = last if parsed.endless else None
    for moment in parsed.starts(start, last):
        if len(found) == MAX_OCCURRENCES:
            if cut is None:
                refuse(f"gives more than {MAX_OCCURRENCES} bookings", code="too_many_occurrences")
            cut = moment
            break
        found.append(moment)
    if not found:
        refuse(f"has no date in its first {MAX_YEARS} years")
    intervals = [on_the_wall(moment, end - start, end_at - start_at, tz) for moment in found]
    intervals = [interval for interval in intervals if interval[0] not in without]
    if not intervals:
        refuse("has exceptions for all of its dates")
    if intervals[-1][1] >= times.LATEST:
        refuse("ends too far ahead")
    return Occurrences(intervals=_apart(intervals), cut_at=None if cut is None else _utc(cut, tz))


def _last(rule: Rule, start: datetime, tz: ZoneInfo, until: datetime) -> datetime:
    """The last moment on the wall at which an occurrence may begin."""
    if rule.endless:
        return until.astimezone(tz).replace(tzinfo=None)
    if rule.until is None:
        return datetime.max
    last = _until(rule.until, tz)
    if last > after_years(start, MAX_YEARS):
        refuse(f"goes on for more than {MAX_YEARS} years; choose an earlier UNTIL")
    return last


def _until(text: str, tz: ZoneInfo) -> datetime:
    """UNTIL on the wall; a date alone means all of that day."""
    found = _UNTIL.fullmatch(text)
    if found is None:
        refuse("has an UNTIL that is not like 20300131 or 20300131T120000Z")
    year, month, day, *clock, utc = found.groups()
    try:
        hour, minute, second = (int(number) for number in clock) if clock[0] else (23, 59, 59)
        moment = datetime(int(year), int(month), int(day), hour, minute, second)
        return moment.replace(tzinfo=UTC).astimezone(tz).replace(tzinfo=None) if utc else moment
    except (ValueError, OverflowError) as error:
        raise Rejected(f"UNTIL={text} is not a date.", code="bad_rrule", field="rrule") from error


def on_the_wall(start: datetime, wall: timedelta, exact: timedelta, tz: ZoneInfo) -> tuple[datetime, datetime]:
    """The interval (UTC) that begins when the clock shows ``start`` and ends when it shows ``wall`` later."""
    start_at, end_at = _utc(start, tz), _utc(start + wall, tz)
    # Where the clock leaves the whole interval out, its length is what can be kept.
    return start_at, end_at if end_at > start_at else start_at + exact


def _utc(wall: datetime, tz: ZoneInfo) -> datetime:
    return wall.replace(tzinfo=tz).astimezone(UTC)


def _apart(intervals: list[tuple[datetime, datetime]]) -> list[tuple[datetime, datetime]]:
    for (_, end_at), (start_at, _) in pairwise(intervals):
        if start_at < end_at:
            refuse(f"overlaps itself at {start_at:%Y-%m-%d %H:%M} UTC", code="series_overlaps")
    return intervals

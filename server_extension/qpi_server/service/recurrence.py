"""Repetitions: RFC 5545 rules as lists of intervals, by the wall clock of a time zone, and never without bound."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import NoReturn
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from qpi_jupyter.core.booking_rules import zone
from qpi_jupyter.core.errors import Rejected

MAX_OCCURRENCES = 400
MAX_LENGTH = 500
_PARTS = frozenset({
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYDAY", "BYHOUR",
    "BYSETPOS",
})  # fmt: skip
_FREQUENCIES = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_UNTIL = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?")
_CYCLE = 7600
"""Years, a multiple of 400: the Gregorian calendar looks the same. A rule that never matches is looked through to the
year 9999 by dateutil, and from there that is near."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrences:
    """The intervals (UTC) of a rule. ``cut_at``: where a rule without an end was cut."""

    intervals: list[tuple[datetime, datetime]]
    cut_at: datetime | None = None


def expand(rule: str, start_at: datetime, end_at: datetime, timezone: str, *, until: datetime) -> Occurrences:
    """The repetitions of ``[start_at, end_at)``; one without an end goes as far as ``until``.

    Both ends keep the time that the clock on the wall of ``timezone`` shows, over daylight saving. A start that this
    clock leaves out is as much later; of one that it shows twice the first is meant.

    Raises
    ------
    Rejected
        it is no rule, repeats too often or too many times, or never.
    """
    tz = zone(timezone)
    parts = _parts(rule)
    start, end = (at.astimezone(tz).replace(tzinfo=None) for at in (start_at, end_at))
    endless = "COUNT" not in parts and "UNTIL" not in parts
    last = until.astimezone(tz).replace(tzinfo=None) if endless else None
    found: list[datetime] = []
    for moment in _moments(parts, start, tz):
        if last is not None and moment > last:
            break
        if len(found) == MAX_OCCURRENCES:
            if last is None:
                _refuse(f"gives more than {MAX_OCCURRENCES} bookings", code="too_many_occurrences")
            last = moment
            break
        found.append(moment)
    if not found:
        _refuse("has no date")
    intervals = [on_the_wall(moment, end - start, end_at - start_at, tz) for moment in found]
    return Occurrences(intervals=_apart(intervals), cut_at=None if last is None else _utc(last, tz))


def _parts(rule: str) -> dict[str, str]:
    """The rule's parts by name, none of them beyond what bookings repeat by."""
    if len(rule) > MAX_LENGTH:
        _refuse(f"has more than {MAX_LENGTH} characters")
    parts: dict[str, str] = {}
    for part in rule.strip().removeprefix("RRULE:").rstrip(";").upper().split(";"):
        name, equals, value = part.partition("=")
        if not equals or name in parts or not value:
            _refuse(f"has a part {part[:40]!r} that is none or comes twice")
        if name not in _PARTS:
            _refuse(f"has {name[:40]}, which bookings do not repeat by")
        parts[name] = value
    if parts.get("FREQ") not in _FREQUENCIES:
        _refuse(f"needs a FREQ out of {', '.join(_FREQUENCIES)}")
    for name in ("INTERVAL", "COUNT"):
        if not _NUMBER.fullmatch(parts.get(name, "1")):
            _refuse(f"has a {name} that is not 1 or more")
    if "BYSETPOS" in parts and parts["FREQ"] in ("HOURLY", "DAILY"):
        _refuse("counts with BYSETPOS within a day, which has one date only")
    if "COUNT" in parts and "UNTIL" in parts:
        _refuse("has both COUNT and UNTIL; one of them says where it ends")
    return parts


def _moments(parts: dict[str, str], start: datetime, tz: ZoneInfo) -> list[datetime]:
    """The starts on the wall, one more than may be."""
    if "UNTIL" in parts:
        parts = parts | {"UNTIL": _stamp(_shifted(_until(parts["UNTIL"], tz), _CYCLE))}
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        moments = list(islice(rrulestr(text, dtstart=_shifted(start, _CYCLE)), MAX_OCCURRENCES + 1))
    except (ValueError, TypeError, IndexError, OverflowError, AttributeError) as error:
        # dateutil's parser fails as its input leads it to
        raise Rejected(f"The repetition cannot be read: {error}.", code="bad_rrule", field="rrule") from error
    return [_shifted(moment, -_CYCLE) for moment in moments]


def _until(text: str, tz: ZoneInfo) -> datetime:
    """UNTIL on the wall; a date alone means all of that day."""
    found = _UNTIL.fullmatch(text)
    if found is None:
        _refuse("has an UNTIL that is not like 20300131 or 20300131T120000Z")
    year, month, day, *clock, utc = found.groups()
    try:
        hour, minute, second = (int(number) for number in clock) if clock[0] else (23, 59, 59)
        moment = datetime(int(year), int(month), int(day), hour, minute, second)
        return moment.replace(tzinfo=UTC).astimezone(tz).replace(tzinfo=None) if utc else moment
    except (ValueError, OverflowError) as error:
        raise Rejected(f"UNTIL={text} is no date.", code="bad_rrule", field="rrule") from error


def _shifted(moment: datetime, years: int) -> datetime:
    if not 1 <= moment.year + years <= 9999:
        _refuse("ends too far ahead")
    return moment.replace(year=moment.year + years)


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y%m%dT%H%M%S}"


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
            _refuse(f"overlaps itself at {start_at:%Y-%m-%d %H:%M} UTC", code="series_overlaps")
    return intervals


def _refuse(why: str, *, code: str = "bad_rrule") -> NoReturn:
    raise Rejected(f"The repetition {why}.", code=code, field="rrule")

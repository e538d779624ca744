"""Times and durations as people write them, ``"tomorrow 9:00"`` and ``"2h"``; local times keep to the wall's clock."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from qpi_jupyter.core import Rejected
from qpi_jupyter.core import length as length

from .numpy_values import to_python

When = str | datetime | date
Length = str | float | timedelta

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = re.compile(r"(\d{1,2})(?::(\d{2})(?::(\d{2}))?)?([ap]m)?")
_EXAMPLES = "'14:00', '9am', 'tomorrow 9:00', 'friday 9:00', '2026-05-04 14:00', 'now', '+2h'"
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(
    r"(?P<n>\d+(?:\.\d+)?)\s*(?P<unit>d|days?|h|hrs?|hours?|m|min|minutes?|s|secs?|seconds?)(?![a-z])", re.IGNORECASE
)
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu"})
_LOCALTIME = Path("/etc/localtime")


_heard: str | None = None


def hear(name: str | None) -> None:
    """Take over the name of the person's clock, if the lab told one that is known here."""
    global _heard
    if name is None or name == _heard:
        return
    try:
        _heard = ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return


def zone_of(name: str | None = None) -> tzinfo:
    """The time zone of this name; without one the person's: what ``QPI_TIMEZONE`` says, else what the panel told the
    lab, else the kernel's own.

    Raises
    ------
    Rejected
        there is no such zone.
    """
    name = name or os.environ.get("QPI_TIMEZONE") or _heard
    if name is None:
        return _local_zone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Rejected(
            f"There is no time zone {name!r}: write it like 'Europe/Stockholm'.", code="bad_timezone", field="timezone"
        ) from None


def _local_zone() -> tzinfo:
    name = os.environ.get("TZ", "").lstrip(":") or str(_LOCALTIME.resolve()).partition("zoneinfo/")[2]
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return _SystemZone()


class _SystemZone(tzinfo):
    """What the operating system knows as local time, where it does not tell the zone's name."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        moment = datetime.now() if at is None else at.replace(tzinfo=None)
        return moment.astimezone().utcoffset() or timedelta()

    def dst(self, at: datetime | None) -> timedelta | None:
        return None

    def tzname(self, at: datetime | None) -> str:
        moment = datetime.now() if at is None else at.replace(tzinfo=None)
        return moment.astimezone().tzname() or "local"

    def fromutc(self, at: datetime) -> datetime:
        found = at.replace(tzinfo=UTC).astimezone()
        return found.replace(tzinfo=self)


def zone_name(zone: tzinfo) -> str | None:
    """Its IANA name, where it has one."""
    key = "UTC" if zone is UTC else getattr(zone, "key", None)
    return "UTC" if key in _UTC_NAMES else key


def zone_label(zone: tzinfo, now: datetime) -> str:
    """``Europe/Stockholm (UTC+01:00)``."""
    there = now.astimezone(zone)
    total = round((there.utcoffset() or timedelta()).total_seconds() / 60)
    sign, (hours, minutes) = "-" if total < 0 else "+", divmod(abs(total), 60)
    name = zone_name(zone) or there.tzname() or "local"
    return name if name == "UTC" else f"{name} (UTC{sign}{hours:02d}:{minutes:02d})"


def moment(value: When, zone: tzinfo, now: datetime, *, after: datetime | None = None) -> datetime:
    """The instant that ``value`` means, in UTC.

    Parameters
    ----------
    value
        an aware datetime; a naive one, a date or a time of day, ISO text, ``"14:00"``, ``"9am"``, ``"today"``,
        ``"tomorrow 9:00"``, ``"friday 9:00"``, all by the clock of ``zone``; ``"now"``, or ``"+2h"`` from now. NumPy's
        and pandas' times are fine.
    after
        a clock time or weekday means the first one after this; else a clock time is today's.

    Raises
    ------
    Rejected
        it is none of these, a time that the change to summer time leaves out, or one beyond the calendar.
    """
    try:
        return _moment(to_python(value), zone, now, after)
    except OverflowError:
        raise Rejected(f"'{value}' is beyond the calendar: give a time in this century.", code="bad_time") from None


def _moment(value: object, zone: tzinfo, now: datetime, after: datetime | None) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC) if value.tzinfo is not None else _on_the_wall(value, zone)
    if isinstance(value, date):
        return _on_the_wall(datetime.combine(value, time()), zone)
    if isinstance(value, time):
        value = f"{value:%H:%M:%S}"
    if not isinstance(value, str):
        raise Rejected(f"Cannot read {value!r} as a time. Examples: {_EXAMPLES}, a datetime.", code="bad_time")
    text = " ".join(value.strip().lower().split())
    if text == "now":
        return now.astimezone(UTC)
    if text.startswith("+"):
        return now.astimezone(UTC) + timedelta(seconds=seconds(text[1:]))
    return _named_day(text, zone, now, after) or _iso(value, zone)


def _named_day(text: str, zone: tzinfo, now: datetime, after: datetime | None) -> datetime | None:
    """``[today|tomorrow|WEEKDAY] [HH:MM]``; None where it is something else."""
    text = re.sub(r"\s+(?=[ap]m$)", "", text.replace(" at ", " "))
    word, _, rest = text.replace("noon", "12:00").replace("midnight", "0:00").partition(" ")
    found = _CLOCK.fullmatch(rest if rest else word)
    if found is not None and not rest and found[2] is None and found[4] is None:
        return None  # a bare number says neither hour nor year
    weekday = next((n for n, day in enumerate(_DAYS) if len(word) >= 3 and day.startswith(word)), None)
    named = word in ("today", "tomorrow") or weekday is not None
    if (not named and (found is None or rest)) or (rest and found is None):
        return None
    clock = _time_of(found) if found is not None else time()
    start = (after or now).astimezone(zone)
    if named and weekday is None:
        day = now.astimezone(zone).date() + timedelta(days=word == "tomorrow")
        return _on_the_wall(datetime.combine(day, clock), zone)
    day = start.date() + timedelta(days=((weekday - start.weekday()) % 7) if weekday is not None else 0)
    at = _on_the_wall(datetime.combine(day, clock), zone)
    if (weekday is not None or after is not None) and at <= start:
        at = _on_the_wall(datetime.combine(day + timedelta(days=7 if weekday is not None else 1), clock), zone)
    return at


def _time_of(found: re.Match[str]) -> time:
    hour, half = int(found[1]), found[4]
    try:
        if half is not None:
            hour = time(hour).hour % 12 + (12 if half == "pm" else 0) if 1 <= hour <= 12 else 24
        return time(hour, int(found[2] or 0), int(found[3] or 0))
    except ValueError:
        raise Rejected(
            f"Cannot read {found[0]!r} as a time of day: write it like '14:00' or '2pm'.",
            code="bad_time",
        ) from None


def _iso(text: str, zone: tzinfo) -> datetime:
    try:
        # "9:00" is a time of day, though ISO 8601 says 09:00.
        at = datetime.fromisoformat(re.sub(r"(?<=[ T])(?=\d:)", "0", text.strip()))
    except ValueError:
        raise Rejected(f"Cannot read {text!r} as a time. Examples: {_EXAMPLES}.", code="bad_time") from None
    return moment(at, zone, at)


def _on_the_wall(naive: datetime, zone: tzinfo) -> datetime:
    """A time as a clock shows it there; of an hour that comes twice, the first."""
    at = naive.replace(tzinfo=zone)
    there = at.astimezone(UTC).astimezone(zone)
    if there.replace(tzinfo=None, fold=0) != naive.replace(fold=0):
        raise Rejected(
            f"There is no {naive:%H:%M} on {naive:%Y-%m-%d} in {_label(zone, at)}: the clocks go forward then. "
            f"Write {there:%H:%M}.",
            code="bad_time",
        )
    return at.astimezone(UTC)


def _label(zone: tzinfo, at: datetime) -> str:
    return zone_name(zone) or at.tzname() or "local time"


def seconds(value: Length) -> float:
    """The seconds that a duration means: a timedelta, a number of seconds, ``"2h"``, ``"1h 30min"`` or ``"1:30"``.

    Raises
    ------
    Rejected
        it is none of these, or not above zero.
    """
    value = to_python(value)
    if isinstance(value, timedelta):
        found = value.total_seconds()
    elif isinstance(value, str):
        found = _of_text(value)
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Rejected(f"Cannot read {value!r} as a duration: give '2h', a timedelta or seconds.", code="bad_duration")
    else:
        found = float(value)
    if not 0 < found < float("inf"):
        raise Rejected(f"A duration must be longer than zero, and not endless: {value!r} is not.", code="bad_duration")
    return found


def _of_text(text: str) -> float:
    text = text.strip()
    if (clock := re.fullmatch(r"(\d+):([0-5]\d)", text)) is not None:
        return 3_600.0 * int(clock[1]) + 60.0 * int(clock[2])
    parts = list(_PART.finditer(text))
    left = _PART.sub("", text).strip()
    if parts and not left:
        return sum(float(part["n"]) * _UNITS[part["unit"][0].lower()] for part in parts)
    try:
        return float(text)
    except ValueError:
        raise Rejected(
            f"Cannot read {text!r} as a duration. Examples: '30min', '2h', '1h 30min', '1:30', a number of seconds.",
            code="bad_duration",
        ) from None


def clock(at: datetime, zone: tzinfo, now: datetime, *, exact: bool = False) -> str:
    """A time for people, by the clock of ``zone``: ``14:00``, ``tomorrow 09:00``, ``Fri 27 Nov 09:00``."""
    there, here = at.astimezone(zone), now.astimezone(zone)
    shown = f"{there:%H:%M:%S}" if exact else f"{there:%H:%M}"
    days = (there.date() - here.date()).days
    if days in (0, 1):
        return f"tomorrow {shown}" if days else shown
    year = f" {there:%Y}" if there.year != here.year else ""
    return f"{there:%a} {there.day} {there:%b}{year} {shown}"


def stamp(at: datetime, now: datetime, *, exact: bool = False) -> str:
    """A time for people by their own clock, with the clock's name: ``14:00 UTC+1``."""
    zone = zone_of()
    return f"{clock(at, zone, now, exact=exact)} {offset(zone, at)}"


def offset(zone: tzinfo, at: datetime) -> str:
    """What a clock's times are called at a moment: ``UTC``, ``UTC+1``, ``UTC-3:30``."""
    total = round((at.astimezone(zone).utcoffset() or timedelta()).total_seconds() / 60)
    hours, minutes = divmod(abs(total), 60)
    return "UTC" + (f"{'-' if total < 0 else '+'}{hours}" if total else "") + (f":{minutes:02d}" if minutes else "")


def span(start_at: datetime, end_at: datetime, zone: tzinfo, now: datetime) -> str:
    """An interval for people: ``tomorrow 09:00-11:00``."""
    start, end = start_at.astimezone(zone), end_at.astimezone(zone)
    same = start.date() == end.date() or (end.time() == time() and (end.date() - start.date()).days == 1)
    until = ("24:00" if end.time() == time() else f"{end:%H:%M}") if same else clock(end_at, zone, now)
    return f"{clock(start_at, zone, now)}-{until}"

"""Time zones as calendar files name them: IANA's names, Windows', addresses of vendors, and zones of the file's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from qpi_jupyter.core import Rejected, booking_rules, existing
from qpi_jupyter.core.recurrence import parse

MAX_OWN = 20
"""Zones of its own that are read of a file."""
_BLOCK = re.compile(r"^BEGIN:VTIMEZONE\s*$(.*?)^END:VTIMEZONE\s*$\n?", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_PART = re.compile(r"^BEGIN:(STANDARD|DAYLIGHT)\s*$(.*?)^END:\1\s*$", re.IGNORECASE | re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^([A-Z-]+)(?:;[^:\n]*)?:(.*)$", re.IGNORECASE | re.MULTILINE)
_OFFSET = re.compile(r"([+-])(\d\d)(\d\d)(\d\d)?")
_SHOWN = re.compile(r"\((?:UTC|GMT)(?:([+-]\d\d):?(\d\d))?\)\s*(.*)")
_YEARS = 3
"""For so long a zone of the file's own has to agree with a known one."""


@dataclass(frozen=True, slots=True)
class Observance:
    """From its onsets on (on the wall, before the change) the clock is ``offset`` ahead of UTC."""

    start: datetime
    rule: str | None
    more: tuple[datetime, ...]
    before: timedelta
    offset: timedelta

    def onsets(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Its onsets from about ``first`` to ``last``."""
        yield from (at for at in (self.start, *self.more) if at <= last)
        if self.rule is None:
            return
        rule = parse(self.rule)
        if rule.frequency != "YEARLY" or rule.interval != 1 or rule.count is not None:
            raise ValueError(f"its rule {self.rule[:60]} is not a yearly one")
        end = rule.until or "9999"
        year = min(first.year - 1, int(end[:4]))  # the latest onset before ``first`` is not earlier
        begin = self.start
        if begin.year < year:
            begin = begin.replace(year=year, day=min(begin.day, 28))
        yield from (at for at in rule.starts(begin, last) if f"{at:%Y%m%dT%H%M%S}" <= end)


@dataclass(frozen=True, slots=True)
class OwnZone:
    """A zone that a file defines."""

    tzid: str
    observances: tuple[Observance, ...]

    def offsets(self, walls: Iterable[datetime]) -> list[timedelta]:
        """By how much its clock is ahead of UTC, when it shows each of ``walls``, which are in order."""
        walls = list(walls)
        parts = enumerate(self.observances)
        changes = sorted((onset, number) for number, part in parts for onset in part.onsets(walls[0], walls[-1]))
        found = []
        for wall in walls:
            latest = max((change for change in changes if change[0] <= wall), default=None)
            found.append(self.observances[latest[1]].offset if latest else self.observances[0].before)
        return found


class Zones:
    """The zones of one file."""

    def __init__(self, text: str) -> None:
        self.text = _BLOCK.sub("", text)
        """The file without its own zones, whose rules no library needs to walk along."""
        self._blocks: dict[str, str] = {}
        for block in _BLOCK.finditer(text):
            self._blocks.setdefault(_values(_PART.sub("", block[1])).get("TZID", ""), block[1])
        self._known: dict[str, ZoneInfo] = {}
        self._read = 0

    def utc(self, tzid: str, wall: datetime) -> tuple[datetime, str | None]:
        """The moment (UTC) at which the clock of ``tzid`` shows ``wall``, and the IANA name of the zone, if it has one.

        Raises
        ------
        Rejected
            nobody knows the zone; the message names it.
        """
        if (known := self._named(tzid)) is not None:
            return wall.replace(tzinfo=known).astimezone(UTC), known.key
        own = existing(self._own(tzid), _unknown(tzid, "use an IANA name, such as Europe/Berlin"))
        try:
            offset = own.offsets([wall])[0]
            alike = _alike(own, wall)
        except (Rejected, ValueError, OverflowError) as error:
            raise _unknown(tzid, f"the file's own definition of it cannot be used ({error})") from error
        if alike is not None:
            self._known[tzid] = ZoneInfo(alike)
        return (wall - offset).replace(tzinfo=UTC), alike

    def _named(self, tzid: str) -> ZoneInfo | None:
        if tzid not in self._known:
            values = _values(_PART.sub("", self._blocks.get(tzid, "")))
            found = next((zone for name in _names(tzid, values) if (zone := _iana(name)) is not None), None)
            if found is None:
                return None
            self._known[tzid] = found
        return self._known[tzid]

    def _own(self, tzid: str) -> OwnZone | None:
        block = self._blocks.get(tzid)
        if block is None:
            return None
        self._read += 1
        if self._read > MAX_OWN:
            raise _unknown(tzid, f"at most {MAX_OWN} definitions of a file's own are read")
        try:
            parts = tuple(_observance(part) for _, part in _PART.findall(block))
        except (KeyError, ValueError) as error:
            raise _unknown(tzid, "the file's own definition of it cannot be read") from error
        return OwnZone(tzid, tuple(sorted(parts, key=lambda part: part.start))) if parts else None


def _names(tzid: str, values: Mapping[str, str]) -> Iterator[str]:
    """The IANA names that may be meant, the likeliest first."""
    clean = tzid.strip().strip('"').strip("/")
    yield clean
    if clean in WINDOWS_TO_OLSON:
        yield WINDOWS_TO_OLSON[clean]
    if "X-LIC-LOCATION" in values:
        yield values["X-LIC-LOCATION"]
    parts = clean.split("/")
    for first in range(1, len(parts) - 1):  # /vendor.example/20050126_1/Europe/Berlin
        yield "/".join(parts[first:])
    if (shown := _SHOWN.fullmatch(clean)) is not None:  # (UTC+01:00) Amsterdam, Berlin, Bern
        ahead = timedelta(hours=int(shown[1] or 0), minutes=int(f"{(shown[1] or '+')[0]}{shown[2] or 0}"))
        cities = {part.strip().replace(" ", "_") for part in shown[3].split(",")}
        for name in sorted(_available()):
            if name.rpartition("/")[2] in cities and _standard(name) == ahead:
                yield name


def _iana(name: str) -> ZoneInfo | None:
    try:
        return booking_rules.zone(name)
    except Rejected:
        return None


@cache
def _available() -> tuple[str, ...]:
    """IANA's zones: those that Windows' stand for, and then all others."""
    usual = dict.fromkeys(["Etc/UTC", *sorted(WINDOWS_TO_OLSON.values())])
    return tuple(usual | dict.fromkeys(sorted(available_timezones() - {"localtime", "Factory"})))


def _standard(name: str) -> timedelta:
    """How far a zone's clock is ahead of UTC in winter."""
    tz = ZoneInfo(name)
    return min(datetime(2026, month, 1, tzinfo=tz).utcoffset() or timedelta() for month in (1, 7))


def _alike(own: OwnZone, wall: datetime) -> str | None:
    """The zone whose clock shows the same as that of ``own``, from ``wall`` on for `_YEARS`."""
    walls = [wall + timedelta(days=days) for days in range(0, _YEARS * 366, 9)]
    ahead = own.offsets(walls)
    mentioned = [name for name in _available() if name.rpartition("/")[2].replace("_", " ") in own.tzid]
    for name in (*mentioned, *_available()):
        tz = ZoneInfo(name)
        if all(at.replace(tzinfo=tz).utcoffset() == offset for at, offset in zip(walls, ahead, strict=True)):
            return name
    return None


def _observance(text: str) -> Observance:
    values = _values(text)
    more = values.get("RDATE", "")
    return Observance(
        start=_moment(values["DTSTART"]),
        rule=values.get("RRULE"),
        more=tuple(_moment(part) for part in more.split(",")[:100] if part),
        before=_offset(values["TZOFFSETFROM"]),
        offset=_offset(values["TZOFFSETTO"]),
    )


def _values(text: str) -> dict[str, str]:
    """The properties of a part of a file; of one that comes twice the first."""
    values: dict[str, str] = {}
    for name, value in _LINE.findall(text):
        values.setdefault(name.upper(), value.strip())
    return values


def _moment(text: str) -> datetime:
    return datetime.strptime(text.rstrip("Z")[:15], "%Y%m%dT%H%M%S")


def _offset(text: str) -> timedelta:
    found = _OFFSET.fullmatch(text)
    if found is None:
        raise ValueError(text)
    sign, hours, minutes, seconds = found.groups()
    ahead = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds or 0))
    return -ahead if sign == "-" else ahead


def _unknown(tzid: str, why: str) -> Rejected:
    return Rejected(f"The time zone {tzid[:100]!r} is not known: {why}.", code="bad_timezone", timezone=tzid[:100])

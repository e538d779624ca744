"""Calendar files as lists of events."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from icalendar import Calendar, Event
from msgspec.structs import replace

from qpi_jupyter.core import QpiError, Rejected, existing

from .events import IcsEvent
from .zones import Zones

MAX_EVENTS = 500
MAX_DATES = 2_000
"""Exceptions and additional dates of one event."""
_MAX_COMPONENTS = 2_000
_FOLD = re.compile(r"\n[ \t]")
_LONG = re.compile(r"^(?:RRULE[:;].{2000}|.{65536})", re.IGNORECASE | re.MULTILINE)
_COMPONENT = re.compile(r"^BEGIN:", re.IGNORECASE | re.MULTILINE)
_FAILS = (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError, OverflowError, OSError)
"""How the parser of a foreign format fails, as its input leads it to."""
_EXAMPLE = "20300131T090000Z"


def read(text: str) -> list[IcsEvent]:
    """The events of a file, in its order; what it takes out of a series or puts elsewhere is taken out of the series.

    Raises
    ------
    Rejected
        it is no calendar, or too much of one.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    text = _FOLD.sub("", text)
    if len(_COMPONENT.findall(text)) > _MAX_COMPONENTS or _LONG.search(text):
        raise Rejected("The file has too many parts, or too long ones.", code="bad_calendar")
    zones = Zones(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it guesses of time zones is not used
            calendars: list[Any] = Calendar.from_ical(zones.text, multiple=True)
    except _FAILS as error:
        raise Rejected(f"This is not an iCalendar file{_where(text)}.", code="bad_calendar") from error
    found = [_Reader(calendar, zones).events() for calendar in calendars if hasattr(calendar, "walk")]
    events = [event for some in found for event in some]
    if not events:
        raise Rejected("The file has no events (VEVENT).", code="bad_calendar")
    return events


def _where(text: str) -> str:
    """The first line that cannot be part of any, for people."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not re.match(r"[A-Za-z0-9-]+[:;]", line):
            return f": line {number} (folded lines counted as one), {line[:60]!r}, is not NAME:VALUE"
    return "; it should begin with BEGIN:VCALENDAR and end with END:VCALENDAR"


@dataclass(frozen=True, slots=True)
class _Moment:
    """A time of a file: on the wall, in UTC, and in which zone."""

    wall: datetime
    at: datetime
    zone: str | None


class _Reader:
    """Reads the events of one VCALENDAR."""

    def __init__(self, calendar: Any, zones: Zones) -> None:
        self._events: list[Event] = calendar.walk("VEVENT")
        if len(self._events) > MAX_EVENTS:
            message = f"The file has {len(self._events)} events; at most {MAX_EVENTS} are read."
            raise Rejected(message, code="bad_calendar")
        self._zones = zones
        self._cancels = _text(calendar, "METHOD").upper() == "CANCEL"
        self._usual = _text(calendar, "X-WR-TIMEZONE")

    def events(self) -> list[IcsEvent]:
        """Every event, and every date that is added to one; what a series loses is taken out of it."""
        found: list[IcsEvent] = []
        moved: dict[str, set[datetime]] = {}
        for event in self._events:
            uid, summary = _text(event, "UID"), _text(event, "SUMMARY")
            try:
                if "RECURRENCE-ID" in event:
                    moved.setdefault(uid, set()).add(self._replaces(event))
                    if self._cancelled(event):
                        continue
                found += self._read(event, uid, summary)
            except QpiError as error:
                found.append(IcsEvent(uid=uid, title=summary, problem=error.to_dict()))
            except _FAILS:
                refusal = Rejected("The event cannot be read.", code="bad_event")
                found.append(IcsEvent(uid=uid, title=summary, problem=refusal.to_dict()))
        return [_less(event, moved.get(event.uid, ())) for event in found]

    def _read(self, event: Event, uid: str, summary: str) -> Iterator[IcsEvent]:
        if self._cancelled(event):
            raise Rejected("The event is cancelled.", code="event_cancelled")
        if "EXRULE" in event:
            message = "The event has exceptions by a rule (EXRULE): list their dates instead (EXDATE)."
            raise Rejected(message, code="event_exceptions")
        start = self._start(event)
        end = self._end(event, start)
        length = end.wall - start.wall
        without = {self._exception(value, start) for value in _dates(event, "EXDATE")}
        rules = event.get("RRULE", [])
        rules = rules if isinstance(rules, list) else [rules]
        if len(rules) > 1:
            raise Rejected("The event has more than one RRULE.", code="bad_rrule")
        if rules and start.zone is None:
            name = _zone_of(event["DTSTART"]) or self._usual
            message = f"The event repeats in {name!r}, a zone of the file's own like no known one: use an IANA name."
            raise Rejected(message, code="bad_timezone")
        yield IcsEvent(
            uid=uid, title=summary, start_at=start.at, end_at=end.at, timezone=start.zone or "UTC",
            rrule=rules[0].to_ical().decode() if rules else None, without=tuple(sorted(without)),
        )  # fmt: skip
        for value in _dates(event, "RDATE"):
            more = self._addition(value, start, length)
            if more[0] not in without:
                yield IcsEvent(uid=uid, title=summary, start_at=more[0], end_at=more[1], timezone=start.zone or "UTC")

    def _start(self, event: Event) -> _Moment:
        start = existing(
            self._moment(event, "DTSTART"), Rejected("The event has no start (DTSTART).", code="bad_event")
        )
        return start

    def _end(self, event: Event, start: _Moment) -> _Moment:
        """Its DTEND, or DURATION after its start, which is exact time."""
        end = self._moment(event, "DTEND")
        if end is not None:
            return end
        length = _value(event.get("DURATION"), "dt")
        if not isinstance(length, timedelta):
            message = "The event has no end: give it a DTEND or a DURATION."
            raise Rejected(message, code="bad_event")
        return _Moment(start.wall + length, start.at + length, start.zone)

    def _moment(self, event: Event, name: str) -> _Moment | None:
        """The time that a property of an event says; None: it has no such property."""
        if name not in event:
            return None
        prop = event[name]
        if isinstance(prop, list):
            raise Rejected(f"The event has {name} {len(prop)} times.", code="bad_event")
        return self._at(_value(prop, "dt"), _zone_of(prop), f"{name} {_written(prop)!r}")

    def _at(self, value: Any, tzid: str, what: str) -> _Moment:
        if isinstance(value, datetime):
            wall = value.replace(tzinfo=None)
            if tzid:
                return _Moment(wall, *self._zones.utc(tzid, wall))
            if value.tzinfo is not None:
                at = value.astimezone(UTC)
                return _Moment(at.replace(tzinfo=None), at, "UTC")
            if self._usual:
                return _Moment(wall, *self._zones.utc(self._usual, wall))
            message = f"{what} has no time zone: write it in UTC ({_EXAMPLE}) or with a TZID such as Europe/Berlin."
            raise Rejected(message, code="bad_timezone")
        if isinstance(value, date):
            message = f"{what} is a whole day: give the event a start and an end time."
            raise Rejected(message, code="event_whole_day")
        raise Rejected(f"{what} is not a time; write it as {_EXAMPLE}.", code="bad_event")

    def _exception(self, prop: tuple[Any, str], start: _Moment) -> datetime:
        """The start of the repetition that an EXDATE takes out; one without a time takes out that of its day."""
        value, tzid = prop
        if isinstance(value, date) and not isinstance(value, datetime):
            wall = datetime.combine(value, start.wall.time())
            return self._at(wall, start.zone or "UTC", "EXDATE").at
        return self._at(value, tzid, "EXDATE").at

    def _addition(self, prop: tuple[Any, str], start: _Moment, length: timedelta) -> tuple[datetime, datetime]:
        """The interval that an RDATE adds: as long as the event, unless it says its own."""
        value, tzid = prop
        first, last = value if isinstance(value, tuple) else (value, None)
        if isinstance(first, date) and not isinstance(first, datetime):
            first, tzid = datetime.combine(first, start.wall.time()), start.zone or "UTC"
        begin = self._at(first, tzid, "RDATE")
        if isinstance(last, datetime):
            return begin.at, self._at(last, tzid, "RDATE").at
        return begin.at, begin.at + (last if isinstance(last, timedelta) else length)

    def _replaces(self, event: Event) -> datetime:
        prop = event["RECURRENCE-ID"]
        if str(getattr(prop, "params", {}).get("RANGE", "")).upper() == "THISANDFUTURE":
            message = "The event changes all later ones of its series (RANGE=THISANDFUTURE): end the series there."
            raise Rejected(message, code="event_exceptions")
        return self._exception((_value(prop, "dt"), _zone_of(prop)), self._start(event))

    def _cancelled(self, event: Event) -> bool:
        return self._cancels or _text(event, "STATUS").upper() == "CANCELLED"


def _less(event: IcsEvent, moved: Iterable[datetime]) -> IcsEvent:
    """A series without what other events of its UID take the place of."""
    return event if event.rrule is None else replace(event, without=tuple(sorted({*event.without, *moved})))


def _dates(event: Event, name: str) -> Iterator[tuple[Any, str]]:
    """The values of EXDATE or RDATE, each with its TZID."""
    found: Any = event.get(name, [])
    count = 0
    for prop in found if isinstance(found, list) else [found]:
        dates = existing(
            _value(prop, "dts"),
            Rejected(f"{name} {_written(prop)!r} is not a list of times such as {_EXAMPLE}.", code="bad_event"),
        )
        for one in dates:
            count += 1
            if count > MAX_DATES:
                raise Rejected(f"The event has more than {MAX_DATES} {name}s.", code="bad_event")
            yield one.dt, _zone_of(prop)


def _value(prop: Any, name: str) -> Any:
    """What the parser made of a property; None: it could make nothing of it."""
    try:
        return getattr(prop, name, None)
    except ValueError:  # a broken one says so when it is asked
        return None


def _zone_of(prop: Any) -> str:
    params: Mapping[str, Any] = getattr(prop, "params", {})
    return str(params.get("TZID", ""))


def _written(prop: Any) -> str:
    try:
        text = prop.to_ical().decode(errors="replace")
    except _FAILS:
        text = str(prop)
    return "".join(c if c.isprintable() else " " for c in text)[:60]


def _text(component: Any, name: str) -> str:
    """A property as one printable line of at most 200 characters."""
    value = component.get(name)
    line = "".join(c if c.isprintable() else " " for c in str(value if value is not None else ""))
    return line.strip()[:200]

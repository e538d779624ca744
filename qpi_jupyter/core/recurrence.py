"""RFC 5545's rules of repetition: the moments that a clock on the wall shows, found in bounded work.

Libraries look for the next date of a rule that has none until the year 9999, hour by hour if need be. Here a rule is
walked through day by day for `MAX_YEARS`, and each day is looked at once: 4 000 looks, whatever the rule says.
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import NoReturn

from .errors import Rejected

MAX_YEARS = 10
"""How far after its first date a rule is looked through."""
MAX_LENGTH = 500
_FREQUENCIES = ("HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_RANGES: Mapping[str, tuple[int, int]] = {
    "BYMONTH": (1, 12), "BYMONTHDAY": (-31, 31), "BYYEARDAY": (-366, 366), "BYWEEKNO": (-53, 53), "BYHOUR": (0, 23),
    "BYSETPOS": (-366, 366),
}  # fmt: skip
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY", *_RANGES})
_WHOLE = re.compile(r"[+-]?[0-9]{1,3}")
_MOST = {"INTERVAL": 1_000, "COUNT": 100_000}
_COUNTED = re.compile(r"[1-9][0-9]{0,5}")
_BYDAY = re.compile(rf"([+-]?[0-9]{{1,2}})?({'|'.join(_WEEKDAYS)})")
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
Numbers = frozenset[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule that can be walked along; ``until`` is as it is written."""

    frequency: str
    interval: int = 1
    count: int | None = None
    until: str | None = None
    week_start: int = 0
    weekdays: frozenset[tuple[int, int]] = frozenset()
    """Weekdays (0: Monday), each the how manieth it is (0: every one; -1: the last)."""
    numbers: Mapping[str, Numbers] = field(default_factory=dict)
    """BYMONTH, BYMONTHDAY and so on."""

    @property
    def endless(self) -> bool:
        return self.count is None and self.until is None

    def starts(self, start: datetime, last: datetime) -> Iterator[datetime]:
        """Its moments from ``start`` to ``last``, in order; none later than `MAX_YEARS` after ``start``.

        Raises
        ------
        Rejected
            more moments are to come, and later than that.
        """
        rule, horizon = self._anchored(start), after_years(start, MAX_YEARS)
        left = self.count
        for moment in rule.all_moments(start, min(last, horizon)):
            yield moment
            if left is not None:
                left -= 1
                if left == 0:
                    return
        if left and last > horizon:
            refuse(f"has fewer than {self.count} dates in {MAX_YEARS} years; end it by then")

    def _anchored(self, start: datetime) -> Rule:
        """Where the rule names no day, it is that of ``start``."""
        if self.weekdays or {"BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"} & set(self.numbers):
            return self
        day = {"BYMONTHDAY": frozenset({start.day})}
        if self.frequency == "WEEKLY":
            return replace(self, weekdays=frozenset({(start.weekday(), 0)}))
        if self.frequency == "MONTHLY":
            return replace(self, numbers={**self.numbers, **day})
        if self.frequency == "YEARLY":
            return replace(self, numbers={"BYMONTH": frozenset({start.month}), **self.numbers, **day})
        return self

    def all_moments(self, start: datetime, last: datetime) -> Iterator[datetime]:
        if self.frequency == "HOURLY":
            yield from self._hours(start, last)
            return
        hours = sorted(self.numbers.get("BYHOUR", {start.hour}))
        places = self.numbers.get("BYSETPOS")
        for days in self._periods(start.date(), last.date()):
            found = [
                datetime.combine(day, start.time().replace(hour=hour))
                for day in days
                if self.fits(day)
                for hour in hours
            ]
            if places is not None:
                found = [m for n, m in enumerate(found) if n + 1 in places or n - len(found) in places]
            for moment in found:
                if moment > last:
                    return
                if moment >= start:
                    yield moment

    def _hours(self, start: datetime, last: datetime) -> Iterator[datetime]:
        """As `all_moments`; of a day that does not fit no hour is looked at."""
        step, hours, moment = self.interval * _HOUR, self.numbers.get("BYHOUR"), start
        while moment <= last:
            tomorrow = datetime.combine(moment.date() + _DAY, start.time().replace(hour=0, minute=0, second=0))
            if not self.fits(moment.date()):
                moment += -((moment - tomorrow) // step) * step
                continue
            while moment < tomorrow and moment <= last:
                if hours is None or moment.hour in hours:
                    yield moment
                moment += step

    def _periods(self, first: date, last: date) -> Iterator[Sequence[date]]:
        """The days of every period of the rule, from that of ``first`` to that of ``last``."""
        if self.frequency in ("DAILY", "WEEKLY"):
            length = 1 if self.frequency == "DAILY" else 7
            begin = first - (first.weekday() - self.week_start) % length * _DAY
            while begin <= last:
                yield [begin + number * _DAY for number in range(length)]
                begin += self.interval * length * _DAY
            return
        months = 1 if self.frequency == "MONTHLY" else 12
        index = first.year * 12 + (first.month - 1 if months == 1 else 0)
        while index <= last.year * 12 + last.month - 1:
            begin = _month(index)
            yield [begin + number * _DAY for number in range(_days(begin, months))]
            index += self.interval * months

    def fits(self, day: date) -> bool:
        """Whether every part of the rule that is about days lets ``day`` in."""
        numbers = self.numbers
        if "BYMONTH" in numbers and day.month not in numbers["BYMONTH"]:
            return False
        if "BYMONTHDAY" in numbers:
            behind = day.day - 1 - _days(_month(day.year * 12 + day.month - 1), 1)
            if numbers["BYMONTHDAY"].isdisjoint((day.day, behind)):
                return False
        if "BYYEARDAY" in numbers:
            number, length = day.timetuple().tm_yday, _days(date(day.year, 1, 1), 12)
            if numbers["BYYEARDAY"].isdisjoint((number, number - 1 - length)):
                return False
        if "BYWEEKNO" in numbers and numbers["BYWEEKNO"].isdisjoint(self._week(day)):
            return False
        return not self.weekdays or any((day.weekday(), n) in self.weekdays for n in self._places(day))

    def _places(self, day: date) -> tuple[int, ...]:
        """The how manieth of its weekday ``day`` is, in its month or year; 0 stands for any."""
        if self.frequency not in ("MONTHLY", "YEARLY"):
            return (0,)
        months = 12 if self.frequency == "YEARLY" and "BYMONTH" not in self.numbers else 1
        first = date(day.year, day.month if months == 1 else 1, 1)
        before = (day - first).days
        after = _days(first, months) - 1 - before
        return (0, before // 7 + 1, -(after // 7) - 1)

    def _week(self, day: date) -> tuple[int, int]:
        """The number of the week that ``day`` is in, from the first and from the last of its year."""
        middle = day + ((self.week_start - day.weekday()) % -7 + 3) * _DAY  # its year is the week's
        number = (middle.timetuple().tm_yday - 1) // 7
        left = (_days(date(middle.year, 1, 1), 12) - middle.timetuple().tm_yday) // 7
        return number + 1, -left - 1


def parse(rule: str) -> Rule:
    """The rule that the text ``rule`` is.

    Raises
    ------
    Rejected
        it is none, or has a part that bookings do not repeat by.
    """
    parts = _split(rule)
    frequency = parts.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        refuse(f"needs a FREQ out of {', '.join(_FREQUENCIES)}")
    for name, most in _MOST.items():
        if not _COUNTED.fullmatch(text := parts.get(name, "1")) or int(text) > most:
            refuse(f"has {name}={text[:40]}; it must be a whole number from 1 to {most}")
    if "BYSETPOS" in parts and frequency in ("HOURLY", "DAILY"):
        refuse("counts with BYSETPOS within a day, which has one date only")
    if "COUNT" in parts and "UNTIL" in parts:
        refuse("has both COUNT and UNTIL; keep the one that says where it ends")
    if (first := parts.get("WKST", "MO")) not in _WEEKDAYS:
        refuse(f"has WKST={first[:40]}; it must be one of {', '.join(_WEEKDAYS)}")
    return Rule(
        frequency=frequency,
        interval=int(parts.get("INTERVAL", "1")),
        count=int(parts["COUNT"]) if "COUNT" in parts else None,
        until=parts.get("UNTIL"),
        week_start=_WEEKDAYS.index(first),
        weekdays=frozenset(_weekdays(parts["BYDAY"], frequency)) if "BYDAY" in parts else frozenset(),
        numbers={name: _numbers(name, parts[name]) for name in _RANGES if name in parts},
    )


def _split(text: str) -> dict[str, str]:
    if len(text) > MAX_LENGTH:
        refuse(f"has {len(text)} characters; the limit is {MAX_LENGTH}")
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        if not equals or name in parts or not value:
            refuse(f"has a part {part[:40]!r} that is not NAME=VALUE, or comes twice")
        if name not in _PARTS:
            refuse(f"has {name[:40]}, which bookings do not repeat by")
        parts[name] = value
    return parts


def _numbers(name: str, text: str) -> Numbers:
    low, high = _RANGES[name]
    found = set()
    for word in text.split(","):
        number = int(word) if _WHOLE.fullmatch(word) else high + 1
        if not low <= number <= high or (number == 0 and low < 0):
            refuse(f"has {name}={word[:40]}; it must be {low} to {high}" + (", and not 0" if low < 0 else ""))
        found.add(number)
    return frozenset(found)


def _weekdays(text: str, frequency: str) -> Iterator[tuple[int, int]]:
    most = {"MONTHLY": 5, "YEARLY": 53}.get(frequency, 0)
    for word in text.split(","):
        found = _BYDAY.fullmatch(word)
        number = int(found[1] or 0) if found is not None else 0
        if found is None or abs(number) > most or (found[1] is not None and number == 0):
            refuse(f"has BYDAY={word[:40]}, which is not a weekday of a {frequency.lower()} rule (such as MO)")
        yield _WEEKDAYS.index(found[2]), number


def _month(index: int) -> date:
    """The first day of the month that is the ``index``-th since the year 0."""
    return date(index // 12, index % 12 + 1, 1)


def _days(first: date, months: int) -> int:
    """How many days the month, or the 12 months of the year, have that begin with ``first``."""
    if months == 12:
        return 366 if isleap(first.year) else 365
    return monthrange(first.year, first.month)[1]


def after_years(moment: datetime, years: int) -> datetime:
    """The same day so many years later; the end of the calendar, if it is not that far."""
    try:
        return moment.replace(year=moment.year + years)
    except ValueError:  # 29 February, or beyond the year 9999
        return min(moment, datetime.max - years * 366 * _DAY) + years * 365 * _DAY


def refuse(why: str, *, code: str = "bad_rrule") -> NoReturn:
    """Refuse a repetition."""
    raise Rejected(f"The repetition {why}.", code=code, field="rrule")

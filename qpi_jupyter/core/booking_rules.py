"""What a lab asks of its bookings: lengths, grid, horizon, modes, quiet hours. Rules are values; checks are functions.

Of the rules that apply to a person on a QPU the most specific one counts, alone: the one for this QPU and one of
their groups, else for a group, else for the QPU, else the lab's. Where several groups of a person have a rule of the
same rank, each limit is the most generous of them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from . import times
from .errors import Rejected
from .words import counted

GRACE_S = 60.0
"""A booking may begin this long ago: whoever books "from now on" has a clock and a network."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
Interval = tuple[datetime, datetime]
EVERY_DAY = (0, 1, 2, 3, 4, 5, 6)


class BookingMode(StrEnum):
    EXCLUSIVE = "exclusive"
    PRIORITY = "priority"
    MAINTENANCE = "maintenance"


def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name.

    Raises
    ------
    Rejected
        there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # a missing name, a path, a folder such as "America"
        message = f"There is no time zone {name!r}: use an IANA name, such as Europe/Berlin."
        raise Rejected(message, code="bad_timezone", field="timezone") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Nothing may be booked on ``days`` (0: Monday) from ``start`` to ``end``, by the wall clock of ``timezone``.

    An ``end`` that is not after ``start`` is on the next day, and ``days`` says on which one it begins.
    """

    start: str
    end: str
    days: tuple[int, ...] = EVERY_DAY
    timezone: str = "UTC"

    def clash(self, start_at: datetime, end_at: datetime) -> datetime | None:
        """The end of quiet hours that the interval touches, if it does."""
        tz = zone(self.timezone)
        day, last = start_at.astimezone(tz).date() - _DAY, end_at.astimezone(tz).date()
        while day <= last:
            if day.weekday() in self.days:
                begins, ends = self._on(day, tz)
                if begins < end_at and start_at < ends:
                    return ends
            day += _DAY
        return None

    def _on(self, day: date, tz: ZoneInfo) -> tuple[datetime, datetime]:
        start, end = time.fromisoformat(self.start), time.fromisoformat(self.end)
        last = day if end > start else day + _DAY
        begins = datetime.combine(day, start, tz).astimezone(UTC)
        # An hour that the clock shows twice is quiet both times; a time that it leaves out is as much later.
        ends = max(datetime.combine(last, end.replace(fold=fold), tz).astimezone(UTC) for fold in (0, 1))
        return begins, ends


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingLimits:
    """Limits of a booking; None: no limit. Durations in seconds; the grid counts from midnight UTC."""

    granularity_s: float | None = None
    shortest_s: float | None = None
    longest_s: float | None = None
    horizon_s: float | None = None
    max_ahead: int | None = None
    no_show_s: float | None = None
    modes: tuple[BookingMode, ...] | None = None
    quiet: tuple[QuietHours, ...] = ()

    @property
    def step(self) -> timedelta:
        """The distance of the grid's lines; whole seconds, at least one."""
        return timedelta(seconds=max(1, round(self.granularity_s or 1)))

    def snap(self, at: datetime) -> datetime:
        """The first line of the grid that is not before ``at``."""
        return at + (_EPOCH - at) % self.step

    def fit(self, seconds: float) -> timedelta:
        """The shortest length of at least ``seconds`` that the rule admits.

        Raises
        ------
        Rejected
            it is longer than the longest.
        """
        wanted = timedelta(seconds=max(seconds, self.shortest_s or 0.0))
        length = wanted + -wanted % self.step
        self._check_length(length)
        return length

    def check(
        self, start_at: datetime, end_at: datetime, mode: BookingMode, now: datetime, *, own: Collection[Interval] = (),
        moved: bool = False,
    ) -> None:  # fmt: skip
        """Refuse what is in the past or breaks a limit; each refusal names the field.

        Parameters
        ----------
        own
            when the person has this QPU besides, from the day before ``now`` and ``start_at`` on.
        moved
            a booking that there is gets another time: it is not one more.
        """
        if start_at < now - timedelta(seconds=GRACE_S):
            raise Rejected("A booking cannot begin in the past.", code="in_the_past", field="start_at")
        if self.modes is not None and mode not in self.modes:
            allowed = " or ".join(self.modes) or "nothing"
            raise Rejected(f"Bookings here must be {allowed}, not {mode}.", code="mode_not_allowed", field="mode")
        self._check_length(end_at - start_at)
        if self.granularity_s is not None:
            for field, at in (("start_at", start_at), ("end_at", end_at)):
                if self.snap(at) != at:
                    message = f"Bookings begin and end on a grid of {duration(self.step)}, counted from midnight UTC."
                    raise Rejected(message, code="off_grid", field=field, granularity_s=self.granularity_s)
        if self.horizon_s is not None and start_at > times.after(now, self.horizon_s):
            message = (
                f"Bookings must start within {duration(timedelta(seconds=self.horizon_s))}; this one starts later."
            )
            raise Rejected(message, code="too_far", field="start_at", horizon_s=self.horizon_s)
        if (until := self.quiet_until(start_at, end_at)) is not None:
            message = f"This reaches into quiet hours, which end at {until:%Y-%m-%d %H:%M} UTC."
            raise Rejected(message, code="quiet_hours", field="start_at", until=until.isoformat())
        ahead = sum(end > now for _, end in own)
        if not moved and self.max_ahead is not None and ahead >= self.max_ahead:
            message = f"You can have at most {counted(self.max_ahead, 'booking')} ahead on a QPU; you have {ahead}."
            raise Rejected(message, code="too_many_ahead", field="start_at", max_ahead=self.max_ahead, ahead=ahead)

    def quiet_until(self, start_at: datetime, end_at: datetime) -> datetime | None:
        """The end of quiet hours that the interval touches, if it does."""
        return next((until for q in self.quiet if (until := q.clash(start_at, end_at)) is not None), None)

    def _check_length(self, length: timedelta) -> None:
        seconds = length.total_seconds()
        if self.shortest_s is not None and seconds < self.shortest_s:
            shortest = duration(timedelta(seconds=self.shortest_s))
            message = f"Bookings must be at least {shortest} long; this one is {duration(length)}."
            raise Rejected(message, code="too_short", field="end_at", shortest_s=self.shortest_s)
        if self.longest_s is not None and seconds > self.longest_s:
            longest = duration(timedelta(seconds=self.longest_s))
            message = f"Bookings must be at most {longest} long; this one is {duration(length)}."
            raise Rejected(message, code="too_long", field="end_at", longest_s=self.longest_s)


CAPS = ("longest_s", "horizon_s", "max_ahead", "no_show_s")
"""Limits that are stricter the smaller they are."""
FREE = BookingLimits()
"""No limits: what binds managers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopedRule:
    """A rule and whom it is for; None: every QPU, everybody."""

    rule: BookingLimits
    qpu: str | None = None
    group: str | None = None


def resolve(
    rules: Iterable[ScopedRule], qpu: str, groups: frozenset[str], *, usual: BookingLimits = FREE
) -> BookingLimits:
    """The rule that binds a member of ``groups`` on ``qpu``; ``usual`` where none of ``rules`` does."""
    ranked: dict[tuple[bool, bool], list[BookingLimits]] = {}
    for scoped in rules:
        if scoped.qpu in (None, qpu) and (scoped.group is None or scoped.group in groups):
            rank = (scoped.group is not None, scoped.qpu is not None)
            ranked.setdefault(rank, []).append(scoped.rule)
    return _most_generous(ranked[max(ranked)]) if ranked else usual


def strictest(rules: Sequence[BookingLimits]) -> BookingLimits:
    """One rule that keeps to all of ``rules``: for a booking of several QPUs."""
    modes, steps = _given(rules, "modes"), [round(rule.granularity_s) for rule in rules if rule.granularity_s]
    return BookingLimits(
        granularity_s=float(math.lcm(*steps)) if steps else None,
        shortest_s=max(_given(rules, "shortest_s"), default=None),
        modes=tuple(sorted(frozenset(modes[0]).intersection(*modes))) if modes else None,
        quiet=tuple(quiet for rule in rules for quiet in rule.quiet),
        **{name: min(_given(rules, name), default=None) for name in CAPS},
    )


def _most_generous(rules: Sequence[BookingLimits]) -> BookingLimits:
    if len(rules) == 1:
        return rules[0]
    modes = _given(rules, "modes")
    return BookingLimits(
        granularity_s=min(rule.granularity_s or 0.0 for rule in rules) or None,
        shortest_s=min(rule.shortest_s or 0.0 for rule in rules) or None,
        modes=tuple(sorted({mode for some in modes for mode in some})) if len(modes) == len(rules) else None,
        quiet=tuple(quiet for quiet in rules[0].quiet if all(quiet in rule.quiet for rule in rules)),
        **{name: max(given) for name in CAPS if len(given := _given(rules, name)) == len(rules)},
    )


def _given(rules: Sequence[BookingLimits], name: str) -> list[Any]:
    """The limits of that name, without those that are none."""
    return [limit for rule in rules if (limit := getattr(rule, name)) is not None]


def duration(length: timedelta) -> str:
    """A length for people: ``1 day 2 h``, ``90 s``."""
    seconds = length.total_seconds()
    parts = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count:g} {unit}")
    if seconds or not parts:
        parts.append(f"{seconds:g} s")
    return " ".join(parts)

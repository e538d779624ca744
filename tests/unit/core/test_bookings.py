"""Whatever is asked in whatever order: nothing overlaps, and what is said to be free is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from qpi_jupyter.core.booking_rules import (
    FREE,
    BookingLimits,
    BookingMode,
    QuietHours,
    ScopedRule,
    duration,
    resolve,
    strictest,
    zone,
)
from qpi_jupyter.core.bookings import Booking, BookingConflict, BookingStatus, Calendar, book, next_free, rebook
from qpi_jupyter.core.errors import Conflict, QpiError, Rejected

NOW = datetime(2030, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return NOW + minutes * MINUTE


def booking(start: float, end: float, name: str = "b", by: str = "ann") -> Booking:
    return Booking(id=name, qpu="q", booked_by=by, start_at=at(start), end_at=at(end))


TIMES = st.integers(-30, 240)
LENGTHS = st.integers(1, 90)
RULES = st.builds(
    BookingLimits,
    granularity_s=st.sampled_from([None, 300.0, 900.0, 420.0]),
    shortest_s=st.sampled_from([None, 600.0]),
    longest_s=st.sampled_from([None, 3600.0]),
    horizon_s=st.sampled_from([None, 7200.0]),
    quiet=st.sampled_from([(), (QuietHours(start="00:50", end="01:20"),), (QuietHours(start="23:00", end="00:10"),)]),
)


class Interleaving(RuleBasedStateMachine):
    """People and managers book, move, release and delete while time passes."""

    standing = Bundle("standing")

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, Booking] = {}
        self.now = NOW

    def calendar(self, without: str = "") -> Calendar:
        return Calendar(row for name, row in self.rows.items() if name != without)

    @rule(target=standing, start=TIMES, length=LENGTHS, limits=RULES, free=st.booleans())
    def create(self, start: int, length: int, limits: BookingLimits, free: bool) -> str:
        name = f"b{len(self.rows)}"
        request = booking(start, start + length, name)
        try:
            self.rows[name] = book(self.calendar(), request, self.now, rule=limits, free=free)
        except BookingConflict as conflict:
            self.check_free(conflict, request)
        except Rejected:
            assert not free or request.end_at <= self.now
        return name

    @rule(name=standing, start=TIMES, length=LENGTHS, limits=RULES, free=st.booleans())
    def move(self, name: str, start: int, length: int, limits: BookingLimits, free: bool) -> None:
        if name not in self.rows:
            return
        before = self.rows[name]
        after = replace(before, start_at=at(start), end_at=at(start + length))
        try:
            self.rows[name] = rebook(self.calendar(name), before, after, self.now, rule=limits, free=free)
        except (Conflict, Rejected):
            assert self.rows[name] == before

    @rule(name=consumes(standing), status=st.sampled_from([BookingStatus.RELEASED, BookingStatus.DELETED]))
    def give_up(self, name: str, status: BookingStatus) -> None:
        if name in self.rows:
            self.rows[name] = replace(self.rows[name], status=status)

    @rule(minutes=st.integers(1, 30))
    def wait(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    def check_free(self, conflict: BookingConflict, request: Booking) -> None:
        assert conflict.clashes
        if conflict.next_free is not None:
            start, end = (datetime.fromisoformat(conflict.next_free[key]) for key in ("start_at", "end_at"))
            assert end - start >= request.length
            assert not list(self.calendar().clashes(start, end))

    @invariant()
    def nothing_overlaps(self) -> None:
        booked = sorted((b for b in self.rows.values() if b.status is BookingStatus.BOOKED), key=lambda b: b.start_at)
        assert all(a.end_at <= b.start_at for a, b in pairwise(booked))


TestInterleaving = Interleaving.TestCase


@st.composite
def calendars(draw: st.DrawFn) -> list[Booking]:
    """Bookings that may overlap, as those of several QPUs do."""
    found = draw(st.lists(st.tuples(TIMES, LENGTHS), max_size=12))
    return [booking(start, start + length, f"b{n}") for n, (start, length) in enumerate(found)]


def is_free(bookings: Sequence[Booking], limits: BookingLimits, start: datetime, end: datetime) -> bool:
    return limits.quiet_until(start, end) is None and all(b.end_at <= start or end <= b.start_at for b in bookings)


@given(calendars(), TIMES, LENGTHS)
def test_a_calendar_finds_every_clash(bookings: list[Booking], start: int, length: int) -> None:
    found = {b.id for b in Calendar(bookings).clashes(at(start), at(start + length))}
    assert found == {b.id for b in bookings if b.start_at < at(start + length) and at(start) < b.end_at}


@given(calendars(), RULES, st.integers(60, 3600), st.integers(0, 200))
def test_next_free_is_free_and_there_is_no_earlier_one(
    bookings: list[Booking], limits: BookingLimits, seconds: int, after: int
) -> None:
    step = timedelta(seconds=limits.granularity_s or 60)  # everything here lies on whole minutes
    try:
        length = limits.fit(seconds)
    except Rejected:  # no booking may be that long
        with pytest.raises(Rejected):
            next_free(Calendar(bookings), seconds, at(after), NOW, rule=limits)
        return
    found = next_free(Calendar(bookings), seconds, at(after), NOW, rule=limits)
    start = limits.snap(at(after))
    last = NOW + timedelta(seconds=limits.horizon_s) if limits.horizon_s else at(10_000)
    if found is not None:
        assert found[1] - found[0] == length
        assert found[0] <= last
        assert is_free(bookings, limits, *found)
        assert limits.snap(found[0]) == found[0]
        last = found[0] - step
    while start <= last:
        assert not is_free(bookings, limits, start, start + length)
        start += step


@given(RULES, st.integers(1, 5000), st.integers(0, 100_000))
def test_the_grid_is_one(limits: BookingLimits, seconds: int, after: int) -> None:
    moment = NOW + timedelta(seconds=after)
    snapped = limits.snap(moment)
    assert timedelta(0) <= snapped - moment < limits.step
    assert limits.snap(snapped) == snapped


def test_a_clash_names_what_is_in_the_way_and_no_people() -> None:
    with pytest.raises(BookingConflict) as caught:
        book(Calendar([booking(0, 60, "x", by="bob")]), booking(30, 90), NOW)
    error = QpiError.from_dict(caught.value.to_dict())
    assert isinstance(error, BookingConflict)
    assert error.next_free == {"start_at": at(60).isoformat(), "end_at": at(120).isoformat()}
    assert [clash["id"] for clash in error.clashes] == ["x"]
    assert "bob" not in str(caught.value.to_dict())


def quiet(start: str, end: str, days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)) -> BookingLimits:
    return BookingLimits(quiet=(QuietHours(start=start, end=end, days=days, timezone="Europe/Berlin"),))


def berlin(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("limits", "start", "end", "until"),
    [
        # the same hours on the wall, in winter and in summer time
        (quiet("22:00", "06:00"), "2030-01-10T05:00", "2030-01-10T07:00", "2030-01-10T06:00"),
        (quiet("22:00", "06:00"), "2030-07-10T05:00", "2030-07-10T07:00", "2030-07-10T06:00"),
        (quiet("22:00", "06:00"), "2030-01-10T06:00", "2030-01-10T22:00", None),
        (quiet("22:00", "06:00"), "2030-07-10T06:00", "2030-07-10T22:00", None),
        # over the night in which the clock goes forward, and the one in which it goes back
        (quiet("22:00", "06:00"), "2030-03-31T05:30", "2030-03-31T08:00", "2030-03-31T06:00"),
        (quiet("22:00", "06:00"), "2030-03-31T06:00", "2030-03-31T08:00", None),
        (quiet("22:00", "06:00"), "2030-10-27T05:30", "2030-10-27T08:00", "2030-10-27T06:00"),
        (quiet("22:00", "06:00"), "2030-10-27T06:00", "2030-10-27T08:00", None),
        # the day on which they begin counts: the night after Friday is Friday's
        (quiet("22:00", "06:00", (4,)), "2030-01-05T01:00", "2030-01-05T02:00", "2030-01-05T06:00"),
        (quiet("22:00", "06:00", (4,)), "2030-01-06T01:00", "2030-01-06T02:00", None),
        # all day
        (quiet("00:00", "00:00", (6,)), "2030-01-06T12:00", "2030-01-06T13:00", "2030-01-07T00:00"),
        # over days
        (quiet("12:00", "13:00", (2,)), "2030-01-07T00:00", "2030-01-12T00:00", "2030-01-09T13:00"),
    ],
)
def test_quiet_hours_go_by_the_wall_clock(limits: BookingLimits, start: str, end: str, until: str | None) -> None:
    expected = None if until is None else berlin(until)
    assert limits.quiet_until(berlin(start), berlin(end)) == expected


def test_an_hour_that_comes_twice_is_quiet_twice() -> None:
    limits = quiet("02:00", "02:45")
    for fold in (0, 1):
        start = berlin("2030-10-27T02:10", fold)
        assert limits.quiet_until(start, start + 5 * MINUTE) == berlin("2030-10-27T02:45", 1)


def test_a_time_that_the_clock_leaves_out_is_as_much_later() -> None:
    limits = quiet("02:10", "02:50")
    assert limits.quiet_until(berlin("2030-03-31T01:30"), berlin("2030-03-31T03:10")) is None
    assert limits.quiet_until(berlin("2030-03-31T03:10"), berlin("2030-03-31T03:30")) == berlin("2030-03-31T03:50")
    assert limits.quiet_until(berlin("2030-03-31T03:50"), berlin("2030-03-31T05:00")) is None


def scoped(longest: float, qpu: str | None = None, group: str | None = None) -> ScopedRule:
    return ScopedRule(rule=BookingLimits(longest_s=longest), qpu=qpu, group=group)


def test_of_several_rules_the_most_specific_counts() -> None:
    everywhere = [scoped(1), scoped(2, qpu="q"), scoped(3, group="chem"), scoped(4, qpu="q", group="chem")]
    chem = frozenset({"chem", "bio"})
    assert resolve(everywhere, "q", chem).longest_s == 4
    assert resolve(everywhere[:3], "q", chem).longest_s == 3
    assert resolve(everywhere, "q", frozenset()).longest_s == 2
    assert resolve(everywhere, "other", frozenset()).longest_s == 1
    assert resolve([], "q", chem) == FREE


def test_of_several_groups_each_limit_is_the_most_generous() -> None:
    night, noon = QuietHours(start="22:00", end="06:00"), QuietHours(start="12:00", end="13:00")
    chem = BookingLimits(granularity_s=900, shortest_s=600, longest_s=60, max_ahead=1, modes=(BookingMode.PRIORITY,),
                       quiet=(night, noon), no_show_s=10)  # fmt: skip
    bio = BookingLimits(granularity_s=300, longest_s=90, horizon_s=5, max_ahead=3, modes=(BookingMode.EXCLUSIVE,),
                      quiet=(night,), no_show_s=20)  # fmt: skip
    rules = [ScopedRule(rule=chem, group="chem"), ScopedRule(rule=bio, group="bio")]
    assert resolve(rules, "q", frozenset({"chem", "bio"})) == BookingLimits(
        granularity_s=300, longest_s=90, max_ahead=3, modes=(BookingMode.EXCLUSIVE, BookingMode.PRIORITY),
        quiet=(night,), no_show_s=20,
    )  # fmt: skip


def test_several_qpus_together_keep_to_the_rules_of_each() -> None:
    one = BookingLimits(granularity_s=600, shortest_s=600, longest_s=7200, max_ahead=2, modes=tuple(BookingMode))
    two = BookingLimits(granularity_s=900, longest_s=3600, horizon_s=60, modes=(BookingMode.PRIORITY,))
    assert strictest([one, two]) == BookingLimits(
        granularity_s=1800, shortest_s=600, longest_s=3600, horizon_s=60, max_ahead=2, modes=(BookingMode.PRIORITY,)
    )
    assert strictest([FREE, FREE]) == FREE


@pytest.mark.parametrize("name", ["", "Mars", "../etc/passwd", "America", "/etc/localtime", "a\x00b", "é" * 300])
def test_only_time_zones_are_time_zones(name: str) -> None:
    with pytest.raises(Rejected) as caught:
        zone(name)
    assert caught.value.code == "bad_timezone"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (0.5, "0.5 s"), (90, "1 min 30 s"), (3600, "1 h"), (93_600, "1 d 2 h")]
)
def test_a_duration_is_readable(seconds: float, text: str) -> None:
    assert duration(timedelta(seconds=seconds)) == text

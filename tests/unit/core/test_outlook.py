"""Predictions: nothing without a past, ranges that hold what they promise, whatever the estimates are worth."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.outlook import BOOKED, ENOUGH, KEPT, Track, cut, quantile


def learnt(*, pace: float = 1.0, spread: float = 0.2, count: int = 400, seed: int = 1) -> Track:
    """A track of jobs that take ``pace`` times as long as was estimated, more or less."""
    dice, track = random.Random(seed), Track()
    for _ in range(count):
        work = dice.uniform(1, 1000)
        factor = pace * dice.lognormvariate(0, spread)
        track.started(work * track.pace, work * factor)
        track.ran(work, work * factor)
    return track


def test_nothing_is_known_before_there_is_a_past() -> None:
    track = Track()
    for n in range(ENOUGH):
        assert not track.known
        track.ran(1.0, 1.0)
        track.started(1.0, 1.0)
        assert track.known is (n + 1 >= ENOUGH)


@pytest.mark.parametrize("pace", [0.25, 1.0, 4.0])
def test_the_pace_is_what_was_measured(pace: float) -> None:
    assert learnt(pace=pace).pace == pytest.approx(pace, rel=0.1)


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0])
def test_ranges_hold_what_they_promise(spread: float) -> None:
    dice, track = random.Random(7), learnt(spread=spread)
    inside = 0
    for _ in range(1000):
        work = dice.uniform(1, 1000)
        low, high = track.spread(work * track.pace)
        took = work * dice.lognormvariate(0, spread)
        held = low <= took <= high
        inside += held
        track.started(work * track.pace, took, held=held)
    assert 0.75 <= inside / 1000 <= 0.95


def test_ranges_widen_when_the_world_gets_wilder() -> None:
    calm, wild = learnt(spread=0.05), learnt(spread=1.0)
    widths = [high - low for low, high in (track.spread(100.0) for track in (calm, wild))]
    assert widths[1] > 3 * widths[0]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=ENOUGH, max_size=60), st.floats(0, 1e6))
def test_a_range_is_around_its_prediction(starts: list[tuple[float, float]], work: float) -> None:
    track = Track()
    for _ in range(ENOUGH):
        track.ran(1.0, 1.0)
    for start in starts:
        track.started(*start)
    low, high = track.spread(work)
    assert 0 <= low <= work <= high
    shortest, likely, longest = track.lengths(10.0)
    assert shortest <= likely <= longest


@pytest.mark.parametrize(
    ("used", "unused"),
    [
        ([], (False, False, False)),
        ([False] * (ENOUGH - 1), (False, False, False)),
        ([False] * ENOUGH, (True, True, True)),
        ([True] * ENOUGH, (False, False, False)),
        ([True] * 17 + [False] * 3, (True, False, False)),
        ([True] * 8 + [False] * 12, (True, True, False)),
        ([True] * 2 + [False] * 18, (True, True, True)),
        ([True] * 200 + [False] * BOOKED, (True, True, True)),
    ],
)
def test_the_latest_bookings_say_whether_the_next_is_used(used: list[bool], unused: tuple[bool, ...]) -> None:
    track = Track()
    for one in used:
        track.settled(used=one)
    assert track.unused == unused


@given(st.lists(st.booleans(), max_size=40))
def test_what_is_given_back_for_the_latest_is_so_for_the_likely_and_the_earliest(used: list[bool]) -> None:
    track = Track()
    for one in used:
        track.settled(used=one)
    early, likely, late = track.unused
    assert early >= likely >= late


SPANS = st.lists(st.integers(0, 1000), max_size=8, unique=True).map(sorted)


@given(SPANS, st.integers(0, 1000))
def test_a_booking_that_is_given_back_closes_nothing_any_more(edges: list[int], at: int) -> None:
    moments = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=edge) for edge in edges]
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    closed = list(zip(moments[::2], moments[1::2], strict=False))
    after = cut(closed, now)
    assert len(after) == len(closed)
    for (start, end), (same, until) in zip(closed, after, strict=True):
        assert start == same <= until <= end
        assert until == (now if start <= now < end else end)


def test_only_the_latest_are_remembered() -> None:
    track = learnt(count=20, spread=0.0)
    for _ in range(KEPT + 1):
        track.started(100.0, 200.0)
    assert track.spread(100.0)[1] == pytest.approx(200.0, rel=0.1)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_lies_within(values: list[float], share: float) -> None:
    values.sort()
    assert values[0] <= quantile(values, share) <= values[-1] + 1e-9

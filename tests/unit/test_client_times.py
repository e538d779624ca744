"""Times and durations as people write them, also where the clocks change."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st

from qpi_jupyter.client import times
from qpi_jupyter.core.errors import Rejected

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NOW = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)  # a Saturday, 15:30 in Stockholm


def at(text: times.When, *, now: datetime = NOW, after: datetime | None = None) -> str:
    return f"{times.moment(text, STOCKHOLM, now, after=after):%Y-%m-%dT%H:%M}Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2026-11-21T14:30Z"),
        ("+2h", "2026-11-21T16:30Z"),
        ("+ 1h 30min", "2026-11-21T16:00Z"),
        ("16:00", "2026-11-21T15:00Z"),
        ("9:00", "2026-11-21T08:00Z"),
        ("today", "2026-11-20T23:00Z"),
        ("tomorrow", "2026-11-21T23:00Z"),
        ("Tomorrow  9:00", "2026-11-22T08:00Z"),
        ("today 23:59", "2026-11-21T22:59Z"),
        ("friday 9:00", "2026-11-27T08:00Z"),
        ("sat 16:00", "2026-11-21T15:00Z"),
        ("sat 9:00", "2026-11-28T08:00Z"),
        ("saturday", "2026-11-27T23:00Z"),
        ("2026-12-24 18:00", "2026-12-24T17:00Z"),
        ("2026-12-24T18:00+02:00", "2026-12-24T16:00Z"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00Z"),
        ("2026-12-24", "2026-12-23T23:00Z"),
        ("2026-12-24 9:00", "2026-12-24T08:00Z"),
        (datetime(2026, 7, 1, 12), "2026-07-01T10:00Z"),
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "2026-07-01T12:00Z"),
        (date(2026, 7, 1), "2026-06-30T22:00Z"),
        ("tomorrow 9am", "2026-11-22T08:00Z"),
        ("9:30 PM", "2026-11-21T20:30Z"),
        ("12am", "2026-11-20T23:00Z"),
        ("tomorrow at noon", "2026-11-22T11:00Z"),
        ("friday 9", "2026-11-27T08:00Z"),
        (time(16), "2026-11-21T15:00Z"),
    ],
)
def test_times(text: times.When, expected: str) -> None:
    assert at(text) == expected


def test_a_clock_time_is_the_next_one_after_the_start() -> None:
    assert at("9:00", after=NOW) == "2026-11-22T08:00Z"
    assert at("16:00", after=NOW) == "2026-11-21T15:00Z"
    # A booking from 22:00 to 2:00 ends past midnight.
    start = datetime(2026, 11, 21, 21, tzinfo=UTC)
    assert at("2:00", after=start) == "2026-11-22T01:00Z"
    assert at("0:00", after=start) == "2026-11-21T23:00Z"


def test_tomorrow_is_the_day_after_today_by_the_clock_on_the_wall() -> None:
    late = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)  # half past midnight in Stockholm
    assert at("tomorrow 9:00", now=late) == "2026-11-23T08:00Z"
    assert at("today 9:00", now=late) == "2026-11-22T08:00Z"


def test_days_on_which_the_clocks_change() -> None:
    march = datetime(2026, 3, 28, 12, tzinfo=UTC)
    assert at("tomorrow 1:59", now=march) == "2026-03-29T00:59Z"
    assert at("tomorrow 3:00", now=march) == "2026-03-29T01:00Z"
    with pytest.raises(Rejected, match=r"no 02:30 on 2026-03-29 in Europe/Stockholm.*Write 03:30"):
        at("tomorrow 2:30", now=march)
    # An hour that comes twice: the first; the second can be written with its offset.
    october = datetime(2026, 10, 24, 12, tzinfo=UTC)
    assert at("tomorrow 2:30", now=october) == "2026-10-25T00:30Z"
    assert at("2026-10-25T02:30+01:00", now=october) == "2026-10-25T01:30Z"
    # A week by the wall clock is not always 168 hours.
    assert at("sunday 9:00", now=october, after=october) == "2026-10-25T08:00Z"


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "9 o'clock", "tomorrow 9.5", "2026-13-01", "monday tuesday", "+x"]
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Rejected, match="Cannot read"):
        at(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", 7200), ("90min", 5400), ("1h30", None), ("1h 30m", 5400), ("1:30", 5400), ("45 s", 45), ("10m", 600),
        ("1.5 h", 5400), ("2 days", 172_800), (30, 30), (0.5, 0.5), ("120", 120), (timedelta(minutes=2), 120),
        ("1 h 30 min", 5400), ("-1h", None), (0, None), (-5, None), ("fast", None), (float("nan"), None), (True, None),
        ("", None), (timedelta(0), None), (float("inf"), None), ("1 hour 5 minutes", 3900),
    ],
)  # fmt: skip
def test_durations(text: times.Length, expected: float | None) -> None:
    if expected is None:
        with pytest.raises(Rejected, match="duration"):
            times.seconds(text)
    else:
        assert times.seconds(text) == expected


@pytest.mark.parametrize(
    ("value_s", "text"),
    [(0, "0 s"), (0.25, "250 ms"), (45, "45 s"), (90, "1 min 30 s"), (5400, "1 h 30 min"), (-60, "-1 min"),
     (183_600, "2 d 3 h"), (59.96, "60 s")],
)  # fmt: skip
def test_lengths_for_people(value_s: float, text: str) -> None:
    assert times.length(value_s) == text


def test_what_is_shown_can_be_typed() -> None:
    for value_s in (60.0, 5_400.0, 45.0, 183_600.0):
        assert times.seconds(times.length(value_s)) == value_s


def test_times_for_people() -> None:
    def said(text: str) -> str:
        return times.clock(times.moment(text, STOCKHOLM, NOW), STOCKHOLM, NOW)

    assert said("16:00") == "16:00"
    assert said("tomorrow 9:00") == "tomorrow 09:00"
    assert said("2026-11-27 09:00") == "Fri 27 Nov 09:00"
    assert times.clock(NOW, STOCKHOLM, NOW, exact=True) == "15:30:00"
    assert said("2027-01-02 09:00:30") == "Sat 2 Jan 2027 09:00"


def test_intervals_for_people() -> None:
    def said(start: str, end: str) -> str:
        return times.span(*(times.moment(text, STOCKHOLM, NOW) for text in (start, end)), STOCKHOLM, NOW)

    assert said("16:00", "18:00") == "16:00-18:00"
    assert said("22:00", "tomorrow 0:00") == "22:00-24:00"
    assert said("22:00", "tomorrow 2:00") == "22:00-tomorrow 02:00"


def test_the_kernels_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", ":America/New_York")
    assert times.zone_name(times.zone_of()) == "America/New_York"
    monkeypatch.setenv("TZ", "Etc/UTC")
    assert times.zone_name(times.zone_of()) == "UTC"
    with pytest.raises(Rejected, match="no time zone 'Mars'"):
        times.zone_of("Mars")
    with pytest.raises(Rejected, match="no time zone"):
        times.zone_of("../../etc/passwd")


def test_a_zone_without_a_name_still_tells_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    import time

    time.tzset()
    try:
        zone = times.zone_of()
        assert times.zone_name(zone) is None
        assert times.moment("2026-07-01 12:00", zone, NOW) == datetime(2026, 7, 1, 10, tzinfo=UTC)
        assert times.moment("2026-01-01 12:00", zone, NOW) == datetime(2026, 1, 1, 11, tzinfo=UTC)
        assert times.clock(NOW, zone, NOW) == "15:30"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_zones_say_how_far_they_are_from_utc() -> None:
    assert times.zone_label(STOCKHOLM, NOW) == "Europe/Stockholm (UTC+01:00)"
    assert times.zone_label(ZoneInfo("America/St_Johns"), NOW) == "America/St_Johns (UTC-03:30)"
    assert times.zone_label(ZoneInfo("Etc/UTC"), NOW) == "UTC"


WALL = st.datetimes(datetime(2020, 1, 1), datetime(2037, 1, 1))


@given(WALL)
def test_a_time_is_the_same_in_every_library(naive: datetime) -> None:
    try:
        expected = times.moment(naive, STOCKHOLM, NOW)
    except Rejected:
        assume(False)  # an hour that the clocks leave out
        return
    same: list[Any] = [
        naive.isoformat(), np.str_(naive), pd.Timestamp(naive),
        pd.Timestamp(naive).tz_localize(STOCKHOLM, ambiguous=True),
        np.datetime64(naive), np.datetime64(naive, "us"), np.array(naive, dtype="datetime64[us]"),
        xr.DataArray(np.datetime64(naive, "ns")), pd.Series([naive])[0], pd.DatetimeIndex([naive])[0],
    ]  # fmt: skip
    for value in same:
        found = times.moment(value, STOCKHOLM, NOW)
        assert type(found) is datetime
        assert found == expected, type(value)


@given(st.integers(1, 10**6))
def test_a_duration_is_the_same_in_every_library(value: int) -> None:
    same: list[Any] = [
        float(value), str(value), np.int64(value), np.float32(value), np.uint32(value), np.array(value), Decimal(value),
        Fraction(value), timedelta(seconds=value), pd.Timedelta(seconds=value), np.timedelta64(value, "s"),
        np.timedelta64(value * 1000, "ms"), xr.DataArray(np.timedelta64(value, "s")),
    ]  # fmt: skip
    assert {times.seconds(length) for length in same} == {float(value)}


@pytest.mark.parametrize(
    "value",
    [
        pd.NaT, np.datetime64("NaT"), None, 5, True, [1], "+99999999d", "9999-12-31T23:59:59-23:59",
        "0001-01-01T00:00+14:00",
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=23))), "20000000000-01-01",
        "13pm", "0am", "1:60",
    ],
)  # fmt: skip
def test_what_is_no_time_or_beyond_the_calendar_is_refused(value: Any) -> None:
    with pytest.raises(Rejected) as caught:
        times.moment(value, STOCKHOLM, NOW)
    assert re.search("Cannot read|beyond the calendar|NaT", caught.value.message)


@pytest.mark.parametrize(
    "value", [pd.NaT, np.timedelta64("NaT"), float("nan"), np.inf, -1, 0, None, "x", "9" * 400, True]
)
def test_what_is_no_duration_is_refused(value: Any) -> None:
    with pytest.raises(Rejected):
        times.seconds(value)


@pytest.fixture
def own_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has said a clock but the kernel's own, which is in UTC."""
    monkeypatch.setattr(times, "_heard", None)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.delenv("QPI_TIMEZONE", raising=False)


@pytest.mark.usefixtures("own_clock")
def test_the_clock_is_the_one_that_is_set_or_else_told_by_the_lab_or_else_the_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert times.stamp(NOW, NOW) == "14:30 UTC"
    times.hear("Asia/Kolkata")
    assert times.stamp(NOW, NOW) == "20:00 UTC+5:30"
    for unknown in (None, "", "Mars/Base", "../../etc/passwd", "America"):
        times.hear(unknown)
        assert times.stamp(NOW, NOW) == "20:00 UTC+5:30"
    monkeypatch.setenv("QPI_TIMEZONE", "America/St_Johns")
    assert times.stamp(NOW, NOW) == "11:00 UTC-3:30"
    assert times.moment("23:00", times.zone_of(), NOW, after=NOW) == datetime(2026, 11, 22, 2, 30, tzinfo=UTC)

"""Repetitions: by the wall clock, bounded, and refused in time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qpi_jupyter.core.errors import Rejected
from qpi_server.service.bookings import MAX_OCCURRENCES, Occurrences, expand

BERLIN = ZoneInfo("Europe/Berlin")
FAR = datetime(2040, 1, 1, tzinfo=UTC)


def repeat(
    rule: str, start: str, end: str, timezone: str = "Europe/Berlin", until: datetime = FAR
) -> Occurrences:  # fmt: skip
    """The repetitions of an interval on the wall."""
    tz = ZoneInfo(timezone)
    begin, finish = (datetime.fromisoformat(text).replace(tzinfo=tz) for text in (start, end))
    return expand(rule, begin, finish, timezone, until=until)


def walls(found: Occurrences, tz: ZoneInfo = BERLIN) -> list[str]:
    return [f"{a.astimezone(tz):%m-%d %H:%M}-{b.astimezone(tz):%H:%M}" for a, b in found.intervals]


@pytest.mark.parametrize(
    ("rule", "start", "end", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", "2030-03-30T09:00", "2030-03-30T10:00",
         ["03-30 09:00-10:00", "03-31 09:00-10:00", "04-01 09:00-10:00"]),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", "2030-10-23T22:00", "2030-10-24T06:00",
         ["10-23 22:00-06:00", "10-28 22:00-06:00", "10-30 22:00-06:00"]),
        ("freq=monthly;bymonthday=-1;count=2", "2030-01-31T09:00", "2030-01-31T10:00",
         ["01-31 09:00-10:00", "02-28 09:00-10:00"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=2", "2028-02-29T09:00", "2028-02-29T10:00",
         ["02-29 09:00-10:00", "02-29 09:00-10:00"]),
        ("FREQ=DAILY;UNTIL=20300102", "2030-01-01T09:00", "2030-01-01T10:00",
         ["01-01 09:00-10:00", "01-02 09:00-10:00"]),
        # 08:00 UTC is 09:00 in Berlin: still on the third day, and a second earlier no more
        ("FREQ=DAILY;UNTIL=20300102T080000Z", "2030-01-01T09:00", "2030-01-01T10:00",
         ["01-01 09:00-10:00", "01-02 09:00-10:00"]),
        ("FREQ=DAILY;UNTIL=20300102T075959Z", "2030-01-01T09:00", "2030-01-01T10:00", ["01-01 09:00-10:00"]),
        # the night in which the clock goes from 02:00 to 03:00
        ("FREQ=DAILY;COUNT=2", "2030-03-30T02:30", "2030-03-30T02:45", ["03-30 02:30-02:45", "03-31 03:30-03:45"]),
        ("FREQ=DAILY;COUNT=2", "2030-03-30T02:30", "2030-03-30T03:00", ["03-30 02:30-03:00", "03-31 03:30-04:00"]),
        # whole days follow each other without a gap, be they of 23, 24 or 25 hours
        ("FREQ=DAILY;COUNT=2", "2030-10-26T00:00", "2030-10-27T00:00", ["10-26 00:00-00:00", "10-27 00:00-00:00"]),
    ],
)  # fmt: skip
def test_both_ends_keep_to_the_clock_on_the_wall(rule: str, start: str, end: str, expected: list[str]) -> None:
    found = repeat(rule, start, end)
    assert walls(found) == expected
    assert found.cut_at is None


def test_of_an_hour_that_comes_twice_the_first_is_meant() -> None:
    found = repeat("FREQ=DAILY;COUNT=2", "2030-10-26T02:15", "2030-10-26T02:45")
    assert found.intervals[1] == (datetime(2030, 10, 27, 0, 15, tzinfo=UTC), datetime(2030, 10, 27, 0, 45, tzinfo=UTC))


def test_a_rule_without_an_end_is_cut_and_says_where() -> None:
    until = datetime(2030, 1, 10, 12, tzinfo=UTC)
    found = repeat("FREQ=DAILY", "2030-01-01T09:00", "2030-01-01T10:00", until=until)
    assert (len(found.intervals), found.cut_at) == (10, until)
    found = repeat("FREQ=HOURLY", "2030-01-01T09:00", "2030-01-01T10:00")
    assert len(found.intervals) == MAX_OCCURRENCES
    assert found.cut_at == datetime(2030, 1, 1, 8, tzinfo=UTC) + timedelta(hours=MAX_OCCURRENCES)


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("", "bad_rrule"),
        ("FREQ", "bad_rrule"),
        ("FREQ=", "bad_rrule"),
        ("COUNT=3", "bad_rrule"),
        ("FREQ=SECONDLY;COUNT=2", "bad_rrule"),
        ("FREQ=MINUTELY;COUNT=2", "bad_rrule"),
        ("FREQ=FORTNIGHTLY;COUNT=2", "bad_rrule"),
        ("FREQ=DAILY;FREQ=HOURLY", "bad_rrule"),
        ("FREQ=DAILY;COUNT=0", "bad_rrule"),
        ("FREQ=DAILY;COUNT=-1", "bad_rrule"),
        ("FREQ=DAILY;COUNT=two", "bad_rrule"),
        ("FREQ=DAILY;COUNT=2;UNTIL=20300105", "bad_rrule"),
        ("FREQ=DAILY;UNTIL=tomorrow", "bad_rrule"),
        ("FREQ=DAILY;UNTIL=20301399", "bad_rrule"),
        ("FREQ=DAILY;UNTIL=99991231T235959Z", "bad_rrule"),
        ("FREQ=DAILY;UNTIL=20290101", "bad_rrule"),
        ("FREQ=DAILY;INTERVAL=0", "bad_rrule"),
        ("FREQ=DAILY;INTERVAL=-1;COUNT=2", "bad_rrule"),
        ("FREQ=DAILY;BYMINUTE=1,2;COUNT=2", "bad_rrule"),
        ("FREQ=DAILY;BYSECOND=1,2;COUNT=2", "bad_rrule"),
        ("FREQ=YEARLY;BYEASTER=0;COUNT=2", "bad_rrule"),
        ("FREQ=MONTHLY;BYDAY=20MO;COUNT=2", "bad_rrule"),
        ("FREQ=MONTHLY;BYDAY=;COUNT=2", "bad_rrule"),
        ("FREQ=DAILY;BYDAY=XX;COUNT=2", "bad_rrule"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=2", "bad_rrule"),
        ("FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30;COUNT=2", "bad_rrule"),
        ("FREQ=HOURLY;BYSETPOS=5;COUNT=2", "bad_rrule"),
        ("FREQ=DAILY;BYDAY=MO;BYSETPOS=5", "bad_rrule"),
        ("FREQ=WEEKLY;BYDAY=MO;BYSETPOS=5", "bad_rrule"),
        ("FREQ=DAILY;COUNT=1" + ";" * 500, "bad_rrule"),
        ("FREQ=DAILY;COUNT=401", "too_many_occurrences"),
        ("FREQ=DAILY;UNTIL=20350101", "too_many_occurrences"),
        ("FREQ=HOURLY;COUNT=2", "series_overlaps"),
    ],
)
def test_a_bad_rule_is_refused_and_soon(rule: str, code: str) -> None:
    began = time.process_time()
    with pytest.raises(Rejected) as caught:
        repeat(rule, "2030-01-01T09:00", "2030-01-01T10:30")
    assert time.process_time() - began < 2.0
    assert caught.value.code == code
    assert caught.value.data["field"] == "rrule"


NAME = st.sampled_from(["BYDAY", "BYSETPOS", "BYMONTHDAY", "BYHOUR", "BYWEEKNO", "WKST"])
VALUE = st.integers(-400, 400).map(str) | st.sampled_from(["MO", "-1FR", "MO,TU", "1,2", "x", "++1MO"])
JUNK = st.text("ABCDEFILMNOPQRSUTY=;,0123456789-+ ", max_size=12)
PART = st.builds("{}={}".format, NAME, VALUE) | JUNK


@settings(deadline=None)
@given(
    st.sampled_from(["HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.lists(PART, max_size=3),
    st.sampled_from(["", ";COUNT=5", ";UNTIL=20310101"]),
)
def test_whatever_a_rule_says_it_is_a_bounded_list_or_a_refusal(freq: str, parts: list[str], end: str) -> None:
    rule = f"FREQ={freq}{''.join(f';{part}' for part in parts)}{end}"
    try:
        found = repeat(rule, "2030-01-01T09:00", "2030-01-01T10:00")
    except Rejected:
        return
    assert 0 < len(found.intervals) <= MAX_OCCURRENCES
    assert all(a < b for a, b in found.intervals)
    assert all(b <= c for (_, b), (c, _) in pairwise(found.intervals))

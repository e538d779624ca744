"""Rules of repetition: the same dates as a library's, and bounded work for whatever a rule says."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import islice

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from qpi_jupyter.core import recurrence
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.recurrence import MAX_YEARS, after_years, parse

START = st.datetimes(datetime(1971, 1, 1), datetime(2299, 12, 31)).map(lambda at: at.replace(microsecond=0, fold=0))
WEEKDAY = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
PARTS = {
    "INTERVAL": st.integers(1, 30).map(str),
    "WKST": WEEKDAY,
    "BYMONTH": st.integers(1, 12).map(str),
    "BYMONTHDAY": st.sampled_from([*range(1, 32), *range(-31, 0)]).map(str),
    "BYYEARDAY": st.sampled_from([*range(1, 367), *range(-366, 0)]).map(str),
    "BYHOUR": st.integers(0, 23).map(str),
}
BY_FREQUENCY = {
    "HOURLY": {"BYDAY": WEEKDAY},
    "DAILY": {"BYDAY": WEEKDAY},
    "WEEKLY": {"BYDAY": WEEKDAY},
    "MONTHLY": {"BYDAY": st.builds("{}{}".format, st.sampled_from(["", "1", "2", "-1"]), WEEKDAY),
                "BYSETPOS": st.sampled_from(["1", "2", "-1", "-2"])},
    "YEARLY": {"BYDAY": st.builds("{}{}".format, st.sampled_from(["", "1", "20", "-1"]), WEEKDAY),
               "BYWEEKNO": st.sampled_from([2, 20, 51, -3]).map(str),
               "BYSETPOS": st.sampled_from(["1", "2", "-1", "-2"])},
}  # fmt: skip


@st.composite
def rules(draw: st.DrawFn) -> str:
    frequency = draw(st.sampled_from(sorted(BY_FREQUENCY)))
    offered = PARTS | BY_FREQUENCY[frequency]
    names = draw(st.lists(st.sampled_from(sorted(offered)), max_size=3, unique=True))
    words = [f"{name}={','.join(draw(st.lists(offered[name], min_size=1, max_size=3)))}" for name in names
             if name not in ("INTERVAL", "WKST")]  # fmt: skip
    words += [f"{name}={draw(offered[name])}" for name in names if name in ("INTERVAL", "WKST")]
    return ";".join([f"FREQ={frequency}", *words])


def walked(rule: str, start: datetime, last: datetime) -> list[datetime]:
    return list(islice(parse(rule).starts(start, last), 50))


@settings(deadline=None, max_examples=150)
@given(rules(), st.datetimes(datetime(9973, 1, 1), datetime(9985, 1, 1)).map(lambda at: at.replace(microsecond=0)))
def test_a_rule_has_the_dates_that_a_calendar_program_shows(rule: str, start: datetime) -> None:
    words = dict(word.split("=") for word in rule.split(";"))
    # (Late starts: dateutil looks for what does not come until the year 9999.)
    # dateutil wants *every* kind of weekday where a rule has both, and a clock that can show BYHOUR at all
    kinds = {word[:-2] == "" for word in words.get("BYDAY", "MO").split(",")}
    assume(len(kinds) == 1)
    assume("BYMONTH" not in words or "20" not in words.get("BYDAY", ""))
    assume(words["FREQ"] != "HOURLY" or "BYHOUR" not in words or "INTERVAL" not in words)
    last = after_years(start, 3)
    library = rrulestr(f"{rule};UNTIL={last:%Y%m%dT%H%M%S}", dtstart=start)
    assert walked(rule, start, last) == list(islice(library, 50))


@given(st.integers(1971, 2299), st.integers(1, 53))
def test_weeks_are_numbered_as_in_the_iso_calendar(year: int, week: int) -> None:
    first, last = datetime(year, 1, 1, 9), datetime(year, 12, 31, 9)
    year_of_days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    for number in (week, -week):
        expected = [day for day in year_of_days if number in _iso(day)]
        assert list(parse(f"FREQ=YEARLY;BYWEEKNO={number}").starts(first, last)) == expected


def _iso(day: datetime) -> tuple[int, int]:
    year, week, _ = day.isocalendar()
    return week, week - 1 - datetime(year, 12, 28).isocalendar().week


def test_a_week_is_counted_whole_from_the_day_on_which_it_starts() -> None:
    wednesday = datetime(2030, 1, 2, 9)
    found = walked("FREQ=WEEKLY;BYDAY=MO,WE;BYSETPOS=1", wednesday, wednesday + timedelta(days=15))
    assert [f"{at:%a %d}" for at in found] == ["Mon 07", "Mon 14"]
    found = walked("FREQ=MONTHLY;BYDAY=1MO,FR;COUNT=3", wednesday, after_years(wednesday, 1))
    assert [f"{at:%a %d}" for at in found] == ["Fri 04", "Mon 07", "Fri 11"]


HOSTILE = [
    "FREQ=YEARLY;BYMONTHDAY=30;BYMONTH=2", "FREQ=HOURLY;BYMONTHDAY=30;BYMONTH=2", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=MONTHLY;BYDAY=5MO;BYSETPOS=366", "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6", "FREQ=WEEKLY;BYYEARDAY=366;BYMONTH=1",
    "FREQ=HOURLY;INTERVAL=2;BYHOUR=0", "FREQ=HOURLY;BYHOUR=1;BYYEARDAY=-366;BYDAY=MO", "FREQ=YEARLY;COUNT=100000",
    "FREQ=DAILY;INTERVAL=1000;BYMONTH=2", "FREQ=WEEKLY;INTERVAL=1000", "FREQ=MONTHLY;INTERVAL=1000;BYMONTHDAY=31",
    "FREQ=YEARLY;INTERVAL=1000;BYMONTHDAY=29;BYMONTH=2", "FREQ=HOURLY;INTERVAL=1000;COUNT=100000",
    "FREQ=YEARLY;BYYEARDAY=" + ",".join(map(str, range(1, 110))),
]  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(HOSTILE) | rules(), START, st.sampled_from(["", ";COUNT=100000", ";COUNT=7"]))
def test_a_rule_looks_at_no_day_twice_and_stops_in_ten_years(rule: str, start: datetime, end: str) -> None:
    looked: list[int] = []
    fits = recurrence.Rule.fits

    def counted(self: recurrence.Rule, day: object) -> bool:
        looked.append(1)
        return fits(self, day)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recurrence.Rule, "fits", counted)
        try:
            found = list(parse(rule + end if "COUNT" not in rule else rule).starts(start, datetime.max))
        except Rejected:
            found = []
    assert len(looked) <= (MAX_YEARS + 2) * 366
    assert len(found) <= (MAX_YEARS + 1) * 366 * 24
    assert all(at <= after_years(start, MAX_YEARS) for at in found)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY", "FREQ=MINUTELY;INTERVAL=1", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;INTERVAL=1001",
        "FREQ=DAILY;COUNT=1000000000", "FREQ=DAILY;COUNT=0", "FREQ=YEARLY;BYMONTH=13", "FREQ=YEARLY;BYMONTH=0",
        "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=MONTHLY;BYMONTHDAY=0", "FREQ=YEARLY;BYYEARDAY=367", "FREQ=DAILY;BYHOUR=24",
        "FREQ=YEARLY;BYSETPOS=367;BYDAY=MO", "FREQ=YEARLY;BYWEEKNO=54", "FREQ=WEEKLY;BYDAY=1MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=0MO", "FREQ=WEEKLY;WKST=XX", "FREQ=DAILY;BYHOUR=1,,2", "FREQ=DAILY;BYHOUR=1.5",
    ],
)  # fmt: skip
def test_a_part_out_of_its_range_is_refused_with_the_range(rule: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse(rule)
    assert caught.value.code == "bad_rrule"
    assert caught.value.data["field"] == "rrule"

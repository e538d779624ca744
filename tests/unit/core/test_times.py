"""The lab's calendar: what is outside is refused, what is inside survives every zone, and sums stay inside."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.times import EARLIEST, LATEST, after, moment, nearest

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSIDE = st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None) - timedelta(microseconds=1))


@given(st.datetimes(timezones=ZONES))
def test_any_time_is_either_refused_by_name_or_in_the_calendar(at: datetime) -> None:
    if EARLIEST <= at < LATEST:
        found = moment(at, "end_at")
        assert found == at
        assert found.tzinfo is UTC
        return
    with pytest.raises(Rejected) as caught:
        moment(at, "end_at")
    assert (caught.value.code, caught.value.data["field"]) == ("bad_time", "end_at")


@given(INSIDE)
def test_a_time_without_a_zone_is_refused_and_one_inside_survives_storing(at: datetime) -> None:
    with pytest.raises(Rejected, match="needs a time zone"):
        moment(at, "end_at")
    at = at.replace(tzinfo=UTC)
    assert nearest(moment(at, "end_at").timestamp()) == at


@given(INSIDE, st.floats())
def test_no_duration_leads_out_of_the_calendar(at: datetime, seconds: float) -> None:
    assert EARLIEST <= after(at.replace(tzinfo=UTC), seconds) <= LATEST

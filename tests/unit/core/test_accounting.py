"""Names of accounts, who is limited, months."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.accounting import group_account, group_of, is_limited, month_range, overdrawn


def test_a_groups_account_is_told_from_a_persons() -> None:
    assert group_account("qed") == "group:qed"
    assert (group_of("group:qed"), group_of("qed")) == ("qed", None)


@pytest.mark.parametrize(
    ("own", "allowance_s", "limited"),
    [(None, None, False), (None, 0.0, True), (None, 60.0, True), (True, None, True), (False, 60.0, False)],
)
def test_an_account_is_limited_as_it_says_or_as_the_lab_does(
    own: bool | None, allowance_s: float | None, limited: bool
) -> None:
    assert is_limited(own, allowance_s) is limited


def test_the_rounding_of_a_sum_is_no_debt() -> None:
    assert not overdrawn(0.3 - 0.1 - 0.1 - 0.1)
    assert overdrawn(-0.001)


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 11, 30)))
def test_every_moment_is_in_its_month_alone(at: datetime) -> None:
    at = at.replace(tzinfo=UTC)
    start, end = month_range(f"{at:%Y-%m}")
    assert start <= at < end
    assert (end.day, end.hour, end.minute) == (1, 0, 0)
    assert (end.month - start.month) % 12 == 1


@pytest.mark.parametrize("text", ["", "2030", "2030-13", "2030-1", "2030-00", "30-01", "2030-01-01", "２０３０-01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no month"):
        month_range(text)

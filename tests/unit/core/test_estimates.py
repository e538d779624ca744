from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qpi_jupyter.core.estimates import HIGHEST, LOWEST, fold_correction, fold_error

SECONDS = st.floats(1e-6, 1e6)


@given(st.floats(LOWEST, HIGHEST), st.integers(0, 10_000), SECONDS, SECONDS)
def test_a_correction_stays_within_its_bounds(correction: float, count: int, raw_s: float, busy_s: float) -> None:
    after = fold_correction(correction, count, raw_s=raw_s, busy_s=busy_s)
    assert LOWEST * (1 - 1e-9) <= after <= HIGHEST * (1 + 1e-9)


@pytest.mark.parametrize("ratio", [0.25, 1.0, 4.0, 1000.0])
def test_a_correction_comes_to_what_is_measured(ratio: float) -> None:
    correction = 1.0
    for count in range(200):
        correction = fold_correction(correction, count, raw_s=2.0, busy_s=2.0 * ratio)
    assert correction == pytest.approx(min(ratio, HIGHEST), rel=0.01)


def test_a_correction_treats_twice_and_half_alike() -> None:
    up = fold_correction(1.0, 0, raw_s=1.0, busy_s=2.0)
    assert fold_correction(up, 1, raw_s=2.0, busy_s=1.0) == pytest.approx(up ** (2 / 3) * 2 ** (-1 / 3))


@pytest.mark.parametrize(("raw_s", "busy_s"), [(0.0, 1.0), (1.0, 0.0)])
def test_what_was_not_estimated_or_not_measured_teaches_nothing(raw_s: float, busy_s: float) -> None:
    assert fold_correction(3.0, 5, raw_s=raw_s, busy_s=busy_s) == 3.0


def test_the_mean_error_is_of_the_latest_predictions() -> None:
    first = fold_error(None, 0, -4.0)
    assert first == 4.0
    assert fold_error(first, 1, 2.0) == 3.0
    settled = first
    for count in range(1, 300):
        settled = fold_error(settled, count, 1.0)
    assert settled == pytest.approx(1.0, abs=1e-3)

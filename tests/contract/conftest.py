"""What several contracts share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.stores import ADDRESSES, under_test


@pytest.fixture(params=ADDRESSES)
def each_store(request: pytest.FixtureRequest) -> Iterator[str]:
    """The test runs once with every store; the address of the one that it runs with."""
    with under_test(request.param):
        yield request.param

"""PocketBase's lists over records in memory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from qpi_jupyter.core.errors import Rejected
from qpi_server.web.compat.qpi.paging import MAX_PER_PAGE, MAX_ROWS, Listing, page_of

NOW = datetime(2030, 5, 1, tzinfo=UTC)
RECORDS: list[dict[str, Any]] = [{"id": f"r{n:03}", "n": n % 7, "secret": "x"} for n in range(100)]
FIELDS = frozenset({"id", "n"})


def ids(**wanted: Any) -> list[str]:
    return [record["id"] for record in page_of(Listing(**wanted), RECORDS, FIELDS, NOW).items]


def test_pages_follow_one_another_and_count() -> None:
    page = page_of(Listing(page=3, per_page=30), RECORDS, FIELDS, NOW)
    assert (page.page, page.per_page, page.total_items, page.total_pages) == (3, 30, 100, 4)
    assert [record["id"] for record in page.items] == [f"r{n:03}" for n in range(60, 90)]
    assert ids(page=4, per_page=30) == [f"r{n:03}" for n in range(90, 100)]
    assert ids(page=5, per_page=30) == []


@pytest.mark.parametrize(("asked", "got"), [(1_000_000, MAX_PER_PAGE), (-1, MAX_PER_PAGE), (0, MAX_PER_PAGE), (7, 7)])
def test_a_page_size_of_a_million_is_the_largest(asked: int, got: int) -> None:
    page = page_of(Listing(per_page=asked), RECORDS, FIELDS, NOW)
    assert page.per_page == got
    assert len(page.items) == min(got, 100)


def test_a_page_too_deep_is_refused() -> None:
    with pytest.raises(Rejected, match="narrow the filter"):
        ids(page=MAX_ROWS + 1, per_page=1)


def test_without_a_total_nobody_counts() -> None:
    page = page_of(Listing(skip_total=True), RECORDS, FIELDS, NOW)
    assert (page.total_items, page.total_pages) == (-1, -1)


def test_filter_sort_and_fields_go_together() -> None:
    listing = Listing(filter="n > 4", sort="-n,id", fields="id", per_page=2, page=2)
    page = page_of(listing, RECORDS, FIELDS, NOW)
    assert page.items == [{"id": "r020"}, {"id": "r027"}]
    assert page.total_items == sum(record["n"] > 4 for record in RECORDS)


def test_sorting_by_what_is_not_there_is_refused() -> None:
    with pytest.raises(Rejected, match="secret"):
        ids(sort="-secret")


def test_sorting_by_the_same_again_and_again_is_refused() -> None:
    with pytest.raises(Rejected, match="at most"):
        ids(sort=",".join(["id"] * 100))

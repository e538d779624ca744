"""PocketBase's lists: page, sort, filter, fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire.rest import Answer

from .base import Record
from .filters import MAX_CHARS, Filter, parse_filter

MAX_PER_PAGE = 500
MAX_ROWS = 10_000
"""How deep pages go; beyond it a filter gets there."""
_Text = Annotated[str, Meta(max_length=MAX_CHARS)]


class Listing(Struct, kw_only=True, rename="camel"):
    """How a collection is listed. QPI's clients never ask for a page: they get the largest one."""

    page: int = 1
    per_page: int = MAX_PER_PAGE
    sort: _Text = ""
    filter: _Text = ""
    fields: _Text = ""
    skip_total: bool = False

    @property
    def size(self) -> int:
        """How many records a page has; out of range it is the nearest, as PocketBase does."""
        return min(self.per_page, MAX_PER_PAGE) if self.per_page > 0 else MAX_PER_PAGE

    @property
    def first(self) -> int:
        """How many records come before the page.

        Raises
        ------
        Rejected
            more than anybody wants to leaf through.
        """
        before = (max(self.page, 1) - 1) * self.size
        if before >= MAX_ROWS:
            raise Rejected(
                f"Pages go to record {MAX_ROWS:,}: narrow the filter, by created for one.",
                code="bad_page",
                field="page",
            )
        return before

    def test(self, fields: frozenset[str], now: datetime) -> Filter:
        """The filter, for records that have ``fields``."""
        return parse_filter(self.filter, fields, now)


class RecordPage(Answer, rename="camel"):
    """One page of a collection; ``totalItems`` and ``totalPages`` are -1 where nobody counted."""

    page: int
    per_page: int
    total_items: int
    total_pages: int
    items: list[Record]


def page_of(listing: Listing, records: Iterable[Record], fields: frozenset[str], now: datetime) -> RecordPage:
    """The page of a collection that is small enough to be in memory as a whole."""
    first, keep = listing.first, listing.test(fields, now)
    found = ordered([record for record in records if keep(record)], listing.sort, fields)
    return as_page(listing, found[first : first + listing.size], len(found))


def as_page(listing: Listing, records: Sequence[Record], total: int | None) -> RecordPage:
    """The records of a page, with only the fields that were asked for."""
    if listing.skip_total or total is None:
        items, pages = -1, -1
    else:
        items, pages = total, -(-total // listing.size)
    return RecordPage(
        page=max(listing.page, 1),
        per_page=listing.size,
        total_items=items,
        total_pages=pages,
        items=[pick(record, listing.fields) for record in records],
    )


def ordered(records: list[Record], sort: str, fields: frozenset[str]) -> list[Record]:
    """Sorted by ``-created,name``; what is equal stays as it was.

    Raises
    ------
    Rejected
        there is no such field.
    """
    for name, down in reversed(sort_keys(sort, fields)):
        records = sorted(records, key=lambda record: _key(record[name]), reverse=down)
    return records


def sort_keys(sort: str, fields: frozenset[str]) -> list[tuple[str, bool]]:
    """Each field to sort by, and whether downwards."""
    keys = [(part.strip().lstrip("+-"), part.strip().startswith("-")) for part in sort.split(",") if part.strip()]
    for name, _ in keys:
        if name not in fields:
            raise Rejected(f"There is no field {name!r} to sort by.", code="bad_sort", field="sort")
    return keys


def pick(record: Record, fields: str) -> Record:
    """The record, or the ``fields`` of it that were asked for."""
    names = {name.strip().partition(":")[0] for name in fields.split(",") if name.strip()}
    return record if not names or "*" in names else {name: record[name] for name in record if name in names}


def _key(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return (0, float(value), "")
    return (1, 0.0, "" if value is None else str(value))

"""PocketBase's lists: page, sort, filter, fields."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from qpi_jupyter.core import Rejected, limited
from qpi_jupyter.wire.rest import Answer
from qpi_server.web.table import Call

from .base import Record
from .filters import MAX_CHARS, Filter, parse_filter

MAX_PER_PAGE = 500
MAX_ROWS = 10_000
"""How deep pages go; beyond it a filter gets there."""
MAX_SORT_KEYS = 8
_Text = Annotated[str, Meta(max_length=MAX_CHARS)]


class View(Struct, kw_only=True):
    """How one record is asked for."""

    fields: _Text = ""


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


async def paged(call: Call, looked_up: Awaitable[Iterable[Record]], fields: frozenset[str]) -> RecordPage:
    """`page_of` what the request asks for: in the person's turn and beside the loop, as it tests every record."""
    records = await looked_up
    async with call.lab.searches.turn(call.person.name, free=not limited(call.person)):
        return await asyncio.to_thread(page_of, call.query, records, fields, datetime.now(UTC))


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
    if len(keys) > MAX_SORT_KEYS:
        raise Rejected(f"Sort by at most {MAX_SORT_KEYS} fields.", code="bad_sort", field="sort")
    for name, _ in keys:
        if name not in fields:
            raise Rejected(f"There is no field {name!r} to sort by.", code="bad_sort", field="sort")
    return keys


def pick(record: Record, fields: str) -> Record:
    """The record, or the ``fields`` of it that were asked for.

    Raises
    ------
    Rejected
        a part of a field is asked for.
    """
    if ":" in fields:
        raise Rejected(
            "Fields come whole here: leave the modifier (such as :excerpt) out.", code="bad_fields", field="fields"
        )
    names = {name.strip() for name in fields.split(",") if name.strip()}
    return record if not names or "*" in names else {name: record[name] for name in record if name in names}


def picked(load: Callable[[Call], Awaitable[Record]]) -> Callable[[Call], Awaitable[Record]]:
    """One record, or the fields of it that the query (`View`) asks for."""

    async def run(call: Call) -> Record:
        return pick(await load(call), call.query.fields)

    return run


async def every(name: str, look: Callable[..., Awaitable[Any]], *args: Any) -> list[Any]:
    """What ``look`` lists as ``name``, page by page, up to `MAX_ROWS`. Any: each list has a struct of its own."""
    found: list[Any] = []
    after: str | None = None
    while len(found) < MAX_ROWS:
        page = await look(*args, limit=MAX_PER_PAGE, after=after)
        found += getattr(page, name)
        if (after := page.next) is None:
            break
    return found


def _key(value: Any) -> tuple[int, float, str]:
    if isinstance(value, int | float):
        return (0, float(value), "")
    return (1, 0.0, "" if value is None else str(value))

"""Lists of jobs in an order of one's own, page by page.

No index keeps these orders: unlike a search by time, each page looks at every job that fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, case, func, select

from qpi_jupyter.core import JobState, Rejected

from .jobs import COLUMNS, JobRecord, record
from .rows import each
from .schema import jobs
from .search import Search, conditions

Sort = Literal["submitted", "state", "name", "qpu", "owner", "shots", "busy"]
_COMPARED = 100
"""So many characters of a text tell its place."""
_RANKS = {state.value: rank for rank, state in enumerate(JobState)}


def _text(column: ColumnElement[Any]) -> ColumnElement[str]:
    return func.substr(func.lower(func.coalesce(column, "")), 1, _COMPARED)


_KEYS: Mapping[Sort, tuple[ColumnElement[Any], type[str] | type[float]]] = {
    "submitted": (jobs.c.seq, float),
    "state": (case(_RANKS, value=jobs.c.state), float),
    "name": (_text(jobs.c.name), str),
    "qpu": (_text(jobs.c.qpu), str),
    "owner": (_text(jobs.c.owner), str),
    "shots": (jobs.c.shots, float),
    "busy": (func.coalesce(jobs.c.busy_s, -1.0), float),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """By what jobs are sorted; of those that are alike the newest come first."""

    by: Sort
    descending: bool = False


def sorted_page(
    connection: Connection, search: Search, order: Order, *, after: str | None, limit: int
) -> tuple[list[JobRecord], str | None]:
    """Up to ``limit`` jobs behind the one that ``after`` names, and what names the last of them (None: there is no
    more).

    Raises
    ------
    Rejected
        ``after`` is not of a list in this order.
    """
    key, kind = _KEYS[order.by]
    wanted = [jobs.c.deleted_at.is_(None), *conditions(search).values()]
    if after is not None:
        seq, value = _place(after, kind)
        beyond = key < value if order.descending else key > value
        wanted.append(beyond | ((key == value) & (jobs.c.seq < seq)))
    direction = key.desc() if order.descending else key.asc()
    # Only what the order needs is sorted: rows are wide.
    picked = select(jobs.c.seq, key.label("place")).where(*wanted).order_by(direction, jobs.c.seq.desc()).limit(limit)
    places = {row.seq: row.place for row in connection.execute(picked)}
    rows = connection.execute(select(*COLUMNS).where(jobs.c.seq.in_(places)))
    found = {row.job.seq: row for row in each(rows, record)}
    last = next(reversed(places), None)
    full = last is not None and len(places) == limit
    readable = [found[seq] for seq in places if seq in found]
    return readable, f"{last}~{places[last]}" if full and last is not None else None


def _place(text: str, kind: type[str] | type[float]) -> tuple[int, Any]:
    seq, mark, value = text.partition("~")
    try:
        if mark and seq.isascii() and seq.isdigit() and len(seq) <= 18:
            return int(seq), kind(value)
    except ValueError:
        pass
    raise Rejected(f"{text!r} is not a cursor of a list in this order.", code="bad_cursor")

"""From what a list is asked for to what its asker may see."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Protocol, TypedDict

from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.jobs import JobState
from qpi_server.store import tallies
from qpi_server.store.jobs import JobRecord
from qpi_server.store.search import Search, page
from qpi_server.store.sorting import Order, Sort, sorted_page


class Wanted(TypedDict, total=False):
    """What narrows a list; None or empty narrows nothing."""

    name: str
    """A part of it, in any case."""
    tag: Sequence[str]
    """All of them."""
    project: str | None
    group: str | None
    """Shared with it."""
    owner: str | None
    qpu: str | None
    status: str | None
    cell: str | None
    submitted_after: datetime | None
    submitted_before: datetime | None


def search_for(principal: Principal, mine: bool | None, wanted: Wanted) -> Search:
    """The search that finds nothing which ``principal`` may not see.

    Raises
    ------
    Rejected
        no such status; one's own jobs and somebody else's at once.
    """
    owner, group = wanted.get("owner"), wanted.get("group")
    if mine is None:
        mine = owner is None and group is None
    if mine and owner not in (None, principal.name):
        raise Rejected(f"Your own jobs are not {owner}'s: leave out mine or owner.", code="bad_query", field="owner")
    everything = allows(principal, Permission.JOBS_READ_ANY)
    return Search(
        person=None if mine or everything else principal.name,
        groups=frozenset() if mine or everything else principal.groups,
        owner=principal.name if mine else owner,
        group=group,
        qpu=wanted.get("qpu"),
        project=wanted.get("project"),
        states=_states(wanted.get("status")),
        name=wanted.get("name", ""),
        cell=wanted.get("cell"),
        tags=tuple(dict.fromkeys(wanted.get("tag", ()))),
        submitted_after=wanted.get("submitted_after"),
        submitted_before=wanted.get("submitted_before"),
    )


def _states(status: str | None) -> tuple[JobState, ...]:
    found = tuple(state for state in JobState if state.status == status)
    if status is not None and not found:
        raise Rejected(f"{status!r} is no status: pending, running, completed, failed, cancelled.", code="bad_status")
    return found


class Pages(Protocol):
    """One page of a list, and what the next one goes on after."""

    def __call__(self, connection: Connection, search: Search, *, limit: int) -> tuple[list[JobRecord], str | None]: ...


def pages(sort: Sort, descending: bool | None, after: str | None) -> Pages:
    """The pages of a list in an order; newest first, it is walked along an index.

    Raises
    ------
    Rejected
        ``after`` is of no list.
    """
    if sort != "submitted" or descending is False:
        return partial(sorted_page, order=Order(by=sort, descending=bool(descending)), after=after)
    before = None if after is None else _cursor(after)

    def newest_first(connection: Connection, search: Search, *, limit: int) -> tuple[list[JobRecord], str | None]:
        found, below = page(connection, search, before=before, limit=limit)
        return found, None if below is None else str(below)

    return newest_first


def _cursor(text: str) -> int:
    """The ``seq`` that a page's ``next`` named."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Rejected(f"{text!r} is not a cursor of this list.", code="bad_cursor")
    return int(text)


def total(connection: Connection, search: Search) -> int | None:
    """How many jobs there are in all: of everybody, or of one person. Nothing else is counted."""
    if search == Search():
        return tallies.read(connection, tallies.ALL_JOBS)
    if search.owner is not None and search == Search(owner=search.owner):
        return tallies.read(connection, tallies.jobs_of(search.owner))
    return None

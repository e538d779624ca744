"""From what a list is asked for to what its asker may see."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from sqlalchemy import Connection

from qpi_jupyter.core import JobState, Permission, Principal, Rejected, allows
from qpi_jupyter.wire.jobs import TEXT_LABELS, JobFilters
from qpi_server.service.base import cursor
from qpi_server.store import JobRecord, Order, Search, Sort, tallies
from qpi_server.store.search import found_by_index, page
from qpi_server.store.sorting import sorted_page

NARROW = "Name an owner, a QPU, a status, a tag or a time (submitted_after), or leave out sort to get the newest first."
MAX_WORDS = 10
"""Of one text; each is looked for in several places."""


def search_for(principal: Principal, wanted: JobFilters) -> Search:
    """The search that finds nothing which ``principal`` may not see.

    Raises
    ------
    Rejected
        no such status; too many words; one's own jobs and somebody else's at once.
    """
    owner, group = wanted.owner, wanted.group
    mine = owner is None and group is None and not wanted.id if wanted.mine is None else wanted.mine
    if mine and owner not in (None, principal.name):
        raise Rejected(f"Your own jobs are not {owner}'s: leave out mine or owner.", code="bad_query", field="owner")
    everything = allows(principal, Permission.JOBS_READ_ANY)
    return Search(
        person=None if mine or everything else principal.name,
        groups=frozenset() if mine or everything else principal.groups,
        owner=principal.name if mine else owner,
        group=group,
        ids=tuple(wanted.id),
        qpu=wanted.qpu,
        labels=tuple((name, value) for name in TEXT_LABELS if (value := getattr(wanted, name)) is not None),
        states=_states(wanted.status),
        name=wanted.name,
        words=_words(wanted.text),
        calibration=wanted.calibration,
        cell=wanted.cell,
        tags=tuple(dict.fromkeys(wanted.tag)),
        submitted_after=wanted.submitted_after,
        submitted_before=wanted.submitted_before,
    )


def _words(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text.split()))
    if len(words) > MAX_WORDS:
        raise Rejected(f"A search takes at most {MAX_WORDS} words, not {len(words)}.", code="bad_query", field="text")
    return words


def _states(status: str | None) -> tuple[JobState, ...]:
    found = tuple(state for state in JobState if state.status == status)
    if status is not None and not found:
        raise Rejected(
            f"status must be one of pending, running, completed, failed, cancelled, not {status!r}.", code="bad_status"
        )
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
    before = cursor(after)

    def newest_first(connection: Connection, search: Search, *, limit: int) -> tuple[list[JobRecord], str | None]:
        found, below = page(connection, search, before=before, limit=limit)
        return found, None if below is None else str(below)

    return newest_first


def walks_along(sort: Sort, descending: bool | None, search: Search) -> bool:
    """Whether a page is a walk along an index that looks at nothing in vain: it costs the same however many jobs."""
    return sort == "submitted" and descending is not False and found_by_index(search)


def total(connection: Connection, search: Search) -> int | None:
    """How many jobs there are in all: of everybody, or of one person. Nothing else is counted."""
    if search == Search():
        return tallies.read(connection, tallies.ALL_JOBS)
    if search.owner is not None and search == Search(owner=search.owner):
        return tallies.read(connection, tallies.jobs_of(search.owner))
    return None

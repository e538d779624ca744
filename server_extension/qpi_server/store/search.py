"""Lists of jobs: newest first, page by page, and never more work than a page is worth.

A search walks along one index, the one that most likely leaves the least to look at, and looks at a bounded number of
rows; where what it wants is rarer than that, the page is short and says where the next one goes on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, String, Subquery, func, or_, select, union

from qpi_jupyter.core import JobState

from .jobs import COLUMNS, JobRecord, record
from .rows import each
from .schema import LABELS, job_tags, jobs

STEPS = (1_000, 4_000)
"""How many rows more are looked at when the newest ones do not fill a page."""
MAX_RANGES = 64
"""More groups than this are looked for along the jobs of everybody."""
_DISORDER = 1_000
"""Among so many neighbours the order of ``submitted_at`` may differ from that of ``seq``."""
_FIRST, _LAST = 0, 2**63 - 1
_ID = re.compile(r"job-[0-9a-f]{16}")
_SAID = (
    "id",
    "owner",
    "qpu",
    "calibration_id",
    *(label.name for label in LABELS if isinstance(label.type, String) and not label.nullable),
)
"""The columns that a word is looked for in: of the labels those that are plain text. (Tags have rows of their own.)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What jobs are wanted; what is None or empty leaves nobody out.

    With ``person`` only that person's jobs and those shared with ``groups`` are seen.
    """

    person: str | None = None
    groups: frozenset[str] = frozenset()
    owner: str | None = None
    group: str | None = None
    """Shared with it."""
    ids: tuple[str, ...] = ()
    """One of them."""
    qpu: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    """Columns that have exactly this text; each has an index."""
    states: tuple[JobState, ...] = ()
    name: str = ""
    """A part of it, in any case."""
    words: tuple[str, ...] = ()
    """Each is a part of the id, a label that is text, a tag, the owner, the QPU or the calibration, in any case; or a
    whole id."""
    tags: tuple[str, ...] = ()
    """All of them."""
    calibration: str | None = None
    """The id of the one that they were measured with."""
    cell: str | None = None
    """The notebook cell that submitted it."""
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None

    @property
    def sees_all(self) -> bool:
        """Whether nothing of what is asked for is hidden from who asks."""
        return self.person is None or self.owner == self.person or self.group in self.groups


Conditions = dict[str, ColumnElement[bool]]


def page(
    connection: Connection, search: Search, *, before: int | None, limit: int
) -> tuple[list[JobRecord], int | None]:
    """Up to ``limit`` jobs below the ``seq`` of ``before``, and the ``seq`` below which the next page begins (None:
    there is no more)."""
    ranges, rest = _plan(search)
    low, high = _window(connection, search)
    below = high if before is None else min(before, high)
    found: list[JobRecord] = []
    for width in (limit, *STEPS) if rest else (limit,):
        walk = _walk(ranges, low, below, width)
        rows = (
            select(*COLUMNS)
            .join(walk, walk.c.seq == jobs.c.seq)
            .where(*rest.values())
            .order_by(jobs.c.seq.desc())
            .limit(limit - len(found))
        )
        found += each(connection.execute(rows), record)
        if len(found) == limit:
            return found, found[-1].job.seq
        looked_at, last = connection.execute(select(func.count(), func.min(walk.c.seq))).one()
        if looked_at < width:
            return found, None
        below = int(last)
    return found, below


def found_by_index(search: Search) -> bool:
    """Whether an index leaves nothing else to be looked at."""
    return bool(search.ids) or _plan(search)[1].keys() <= {"alive"}


def _walk(ranges: Sequence[Select[tuple[int]]], low: int, below: int, width: int) -> Subquery:
    """The ``width`` newest of all ``ranges``; each is read in its index's own order."""
    parts = []
    for part in ranges:
        seq = part.selected_columns[0]
        parts.append(part.where(seq >= low, seq < below).order_by(seq.desc()).limit(width))
    if len(parts) == 1:
        return parts[0].subquery()
    both = union(*(select(part.subquery()) for part in parts)).subquery()
    return select(both).order_by(both.c.seq.desc()).limit(width).subquery()


def _along(*equal: ColumnElement[bool]) -> Select[tuple[int]]:
    return select(jobs.c.seq).where(jobs.c.deleted_at.is_(None), *equal)


def _plan(search: Search) -> tuple[list[Select[tuple[int]]], Conditions]:
    """The ranges of an index to walk along, and what they leave to be looked at."""
    rest = conditions(search)

    def covers(*names: str) -> None:
        for name in names:
            rest.pop(name, None)

    states = [jobs.c.state == state.value for state in search.states]
    if search.ids:
        covers("ids")
        return [_along(jobs.c.id.in_(search.ids))], rest
    for number, word in enumerate(search.words):
        if _ID.fullmatch(word):
            covers(f"word {number}")
            return [_along(jobs.c.id == word)], rest
    if search.tags:
        covers("tag 0")
        return [select(job_tags.c.seq).where(job_tags.c.tag == search.tags[0])], rest
    if search.cell is not None:
        covers("cell_id")
        return [_along(jobs.c.cell_id == search.cell)], rest
    if search.calibration is not None:
        covers("calibration_id")
        return [_along(jobs.c.calibration_id == search.calibration)], rest
    if search.labels:
        (name, value), *_ = search.labels
        covers(name)
        return [_along(jobs.c[name] == value)], rest
    if search.owner is not None:
        covers("owner", "states")
        mine = jobs.c.owner == search.owner
        return [_along(mine, state) for state in states] if states else [_along(mine)], rest
    if search.group is not None:
        covers("group")
        return [_along(jobs.c.shared_with == search.group)], rest
    waiting = search.states and not any(state.final for state in search.states)
    if search.person is not None and len(search.groups) < MAX_RANGES and not waiting:
        covers("person")
        shared = [_along(jobs.c.shared_with == group) for group in sorted(search.groups)]
        return [_along(jobs.c.owner == search.person), *shared], rest
    if search.qpu is not None and not waiting:
        covers("qpu")
        return [_along(jobs.c.qpu == search.qpu)], rest
    if states:
        covers("states")
        return [_along(state) for state in states], rest
    return [select(jobs.c.seq)], {"alive": jobs.c.deleted_at.is_(None), **rest}


def conditions(search: Search) -> Conditions:
    """Everything that a job must be, by what asks for it."""
    found: Conditions = {}
    for number, tag in enumerate(search.tags):
        has = select(job_tags.c.seq).where(job_tags.c.tag == tag, job_tags.c.seq == jobs.c.seq)
        found[f"tag {number}"] = has.exists()
    for name, value in (
        ("owner", search.owner), ("qpu", search.qpu), ("cell_id", search.cell),
        ("calibration_id", search.calibration), *search.labels,
    ):  # fmt: skip
        if value is not None:
            found[name] = jobs.c[name] == value
    if search.ids:
        found["ids"] = jobs.c.id.in_(search.ids)
    if search.group is not None:
        found["group"] = jobs.c.shared_with == search.group
    if search.states:
        found["states"] = jobs.c.state.in_([state.value for state in search.states])
    if search.name:
        found["name"] = jobs.c.name.icontains(search.name, autoescape=True)
    for number, word in enumerate(search.words):
        found[f"word {number}"] = jobs.c.id == word if _ID.fullmatch(word) else _mentions(word)
    if search.submitted_after is not None:
        found["after"] = jobs.c.submitted_at >= search.submitted_after
    if search.submitted_before is not None:
        found["before"] = jobs.c.submitted_at < search.submitted_before
    if not search.sees_all:
        found["person"] = or_(jobs.c.owner == search.person, jobs.c.shared_with.in_(sorted(search.groups)))
    return found


def _mentions(word: str) -> ColumnElement[bool]:
    tagged = select(job_tags.c.seq).where(
        job_tags.c.tag.icontains(word, autoescape=True), job_tags.c.seq == jobs.c.seq
    )  # fmt: skip
    return or_(*(jobs.c[name].icontains(word, autoescape=True) for name in _SAID), tagged.exists())


def _window(connection: Connection, search: Search) -> tuple[int, int]:
    """From which ``seq`` on, and below which, the wanted times lie."""
    low, high = _FIRST, _LAST
    at, alive = jobs.c.submitted_at, jobs.c.deleted_at.is_(None)
    if search.submitted_after is not None:
        near = select(jobs.c.seq).where(alive, at >= search.submitted_after).order_by(at).limit(_DISORDER).subquery()
        low = connection.execute(select(func.min(near.c.seq))).scalar() or _LAST
    if search.submitted_before is not None:
        newest = select(jobs.c.seq).where(alive, at < search.submitted_before).order_by(at.desc())
        near = newest.limit(_DISORDER).subquery()
        high = (connection.execute(select(func.max(near.c.seq))).scalar() or _FIRST) + 1
    return int(low), int(high)

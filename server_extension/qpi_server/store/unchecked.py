"""Jobs that nobody has checked yet, by whose they are."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, bindparam, func, select

from qpi_jupyter.core import JobState

from .jobs import COLUMNS, JobRecord, record
from .rows import each
from .schema import jobs

_WAITING = (jobs.c.qpu == bindparam("on"), jobs.c.state == JobState.QUEUED.value, jobs.c.checked.is_(False))
_NEXT_OWNER = select(func.min(jobs.c.owner)).where(*_WAITING, jobs.c.owner > bindparam("person"))
_FIRST_OF = (
    select(*COLUMNS)
    .where(*_WAITING, jobs.c.owner == bindparam("person"))
    .order_by(jobs.c.priority.desc(), jobs.c.seq)
    .limit(bindparam("count"))
)


def owners(connection: Connection, qpu: str, after: str) -> Iterator[str]:
    """Whose jobs wait for their check: everybody once, by name, beginning behind ``after`` and ending there."""
    person = connection.execute(_NEXT_OWNER, {"on": qpu, "person": after}).scalar()
    while person is not None:
        yield person
        person = connection.execute(_NEXT_OWNER, {"on": qpu, "person": person}).scalar()
    person = connection.execute(_NEXT_OWNER, {"on": qpu, "person": ""}).scalar()
    while person is not None and person <= after:
        yield person
        person = connection.execute(_NEXT_OWNER, {"on": qpu, "person": person}).scalar()


def first_of(connection: Connection, qpu: str, owner: str, count: int) -> list[JobRecord]:
    """Somebody's first jobs that nobody has checked yet."""
    rows = connection.execute(_FIRST_OF, {"on": qpu, "person": owner, "count": count})
    return list(each(rows, record))

"""Which jobs wait for which, and what a family of them is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, insert, select, update

from qpi_jupyter.core import FINAL, Job, JobState

from .jobs import COLUMNS, JobRecord, record
from .prepared import Prepared, written
from .rows import each
from .schema import dependencies, jobs, ledger

_ALIVE = jobs.c.deleted_at.is_(None)
_WAITING = Prepared(
    select(*COLUMNS)
    .join(dependencies, dependencies.c.job_id == jobs.c.id)
    .where(dependencies.c.needs == bindparam("job"), jobs.c.state == JobState.BLOCKED.value)
    .order_by(jobs.c.seq)
)
_NEEDED = (dependencies.c.needs == jobs.c.id) & (dependencies.c.job_id == bindparam("job"))
_FIRST_NEEDED = Prepared(
    select(jobs.c.id, func.count().over().label("together"))
    .join(dependencies, _NEEDED)
    .where(jobs.c.state != JobState.COMPLETED.value)
    .order_by(jobs.c.seq)
    .limit(1)
)
_OPEN_CHILDREN = Prepared(
    select(*COLUMNS)
    .where(jobs.c.parent_id == bindparam("job"), jobs.c.state.not_in(written(FINAL)))
    .order_by(jobs.c.seq)
)
_FAMILY = jobs.c.family_id == bindparam("family")
_MEMBERS = select(*COLUMNS).where(_FAMILY, _ALIVE).order_by(jobs.c.seq)
_UNFINISHED = select(func.count()).where(_FAMILY, _ALIVE, jobs.c.state.not_in([state.value for state in FINAL]))
_EDGES = select(dependencies).join(jobs, jobs.c.id == dependencies.c.needs).where(_FAMILY).order_by(jobs.c.seq)


def named(connection: Connection, ids: Collection[str]) -> dict[str, JobRecord]:
    """Those of these jobs that are there, by id."""
    query = select(*COLUMNS).where(jobs.c.id.in_(list(ids)), _ALIVE)
    return {found.id: found for found in each(connection.execute(query), record)}


def waiting(connection: Connection, job_id: str) -> list[JobRecord]:
    """The blocked jobs that wait for this one, oldest first."""
    return list(each(_WAITING.each(connection, job=job_id), record))


def first_needed(connection: Connection, job_id: str) -> tuple[str, int]:
    """The id of the oldest job that a blocked one waits for, and how many there are; none: it waits for the lab."""
    row = _FIRST_NEEDED.first(connection, job=job_id)
    return ("", 0) if row is None else (str(row[0]), int(row[1]))


def open_children(connection: Connection, job_id: str) -> list[JobRecord]:
    """The job's children that have not ended, oldest first."""
    return list(each(_OPEN_CHILDREN.each(connection, job=job_id), record))


def members(connection: Connection, family: str) -> list[JobRecord]:
    """The jobs of a family, oldest first."""
    return list(each(connection.execute(_MEMBERS, {"family": family}), record))


def unfinished(connection: Connection, family: str) -> int:
    """How many jobs of a family have not ended."""
    return int(connection.execute(_UNFINISHED, {"family": family}).scalar_one())


def edges(connection: Connection, family: str) -> Mapping[str, list[str]]:
    """The ids that each job of a family waits for, or waited for."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for row in connection.execute(_EDGES, {"family": family}):
        found[row.job_id].append(row.needs)
    return found


def cost_s(connection: Connection, job: Job) -> float:
    """What the ledger's lines of a job and its family come to: used, or still held; of deleted jobs as well."""
    lines = select(func.sum(ledger.c.amount_s)).join(jobs, jobs.c.id == ledger.c.job_id)
    mine = jobs.c.id == job.id if job.family is None else jobs.c.family_id == job.family
    return 0.0 - float(connection.execute(lines.where(mine)).scalar() or 0.0)  # never -0.0


def size(connection: Connection, families: Collection[str]) -> int:
    """How many jobs these families have together."""
    query = select(func.count()).where(jobs.c.family_id.in_(list(families)))
    return int(connection.execute(query).scalar_one())


def adopt(connection: Connection, parent: str, child: str) -> None:
    """Write that a new job of the family is a child of another one, which does not wait for it."""
    connection.execute(update(jobs).where(jobs.c.id == child).values(parent_id=parent))


def join(connection: Connection, new: JobRecord, needs: Sequence[JobRecord], children: Collection[str]) -> None:
    """Write what a new job waits for, and which of those are its children: all are of its family from here on."""
    rows = [{"job_id": new.id, "needs": other.id} for other in needs]
    connection.execute(insert(dependencies), rows)
    ids = [other.id for other in needs]
    others = {other.job.family for other in needs if other.job.family is not None} - {new.job.family}
    mine = update(jobs).values(family_id=new.job.family)
    connection.execute(mine.where(jobs.c.id.in_(ids)))
    connection.execute(mine.where(jobs.c.family_id.in_(others)))
    connection.execute(update(jobs).where(jobs.c.id.in_(list(children))).values(parent_id=new.id))

"""Rows of attempts: one for each time that a driver was given a job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from qpi_jupyter.core import Job

from .prepared import Prepared
from .schema import attempts, drivers

_BEGIN = Prepared(insert(attempts))
_THIS = and_(attempts.c.job_id == bindparam("job"), attempts.c.attempt == bindparam("number"))
_END = Prepared(update(attempts).where(_THIS))
_REOPEN = update(attempts).where(_THIS).values(ended_at=None, outcome=None)


def begin(connection: Connection, job: Job, *, epoch: int | None, at: datetime) -> None:
    """Write attempt ``job.attempt``."""
    _BEGIN.run(connection, job_id=job.id, attempt=job.attempt, driver=job.driver, epoch=epoch, assigned_at=at)


def reopen(connection: Connection, job: Job) -> None:
    """Attempt ``job.attempt`` goes on, although it was thought to be over."""
    connection.execute(_REOPEN, {"job": job.id, "number": job.attempt})


def end(
    connection: Connection,
    job_id: str,
    attempt: int,
    *,
    outcome: str,
    at: datetime,
    started_at: datetime | None,
    busy_s: float | None,
) -> None:
    """Write how an attempt ended."""
    _END.run(connection, job=job_id, number=attempt, outcome=outcome, ended_at=at, started_at=started_at, busy_s=busy_s)


_ASSIGNED_AT = Prepared(select(attempts.c.assigned_at).where(_THIS))


def assigned_at(connection: Connection, job_id: str, attempt: int) -> datetime | None:
    """When an attempt began; None if there is none of that number."""
    moment: datetime | None = _ASSIGNED_AT.scalar(connection, job=job_id, number=attempt)
    return moment


class AttemptRow(NamedTuple):
    """One attempt; ``driver`` is its name, empty for the lab's own."""

    attempt: int
    driver: str
    assigned_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    busy_s: float | None


def of_jobs(connection: Connection, job_ids: Collection[str]) -> dict[str, list[AttemptRow]]:
    """The attempts of these jobs, in order."""
    query = (
        select(
            attempts.c.job_id, attempts.c.attempt, drivers.c.name, attempts.c.assigned_at, attempts.c.started_at,
            attempts.c.ended_at, attempts.c.outcome, attempts.c.busy_s,
        )
        .join(drivers, drivers.c.id == attempts.c.driver, isouter=True)
        .where(attempts.c.job_id.in_(list(job_ids)))
        .order_by(attempts.c.job_id, attempts.c.attempt)
    )  # fmt: skip
    found: defaultdict[str, list[AttemptRow]] = defaultdict(list)
    for job_id, attempt, name, *rest in connection.execute(query):
        found[job_id].append(AttemptRow(attempt, name or "", *rest))
    return found


def driver_names(connection: Connection, job_ids: Collection[str]) -> dict[tuple[str, int], str]:
    """Who had which attempt of these jobs."""
    query = (
        select(attempts.c.job_id, attempts.c.attempt, drivers.c.name)
        .join(drivers, drivers.c.id == attempts.c.driver)
        .where(attempts.c.job_id.in_(list(job_ids)))
    )
    return {(row.job_id, row.attempt): row.name for row in connection.execute(query)}

"""Rows of attempts: one for each time that a driver was given a job."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, and_, bindparam, insert, select, update

from qpi_jupyter.core.jobs import Job

from .schema import attempts, drivers

_BEGIN = insert(attempts)
_THIS = and_(attempts.c.job_id == bindparam("job"), attempts.c.attempt == bindparam("number"))
_END = update(attempts).where(_THIS)
_REOPEN = update(attempts).where(_THIS).values(ended_at=None, outcome=None)


def begin(connection: Connection, job: Job, *, epoch: int | None, at: datetime) -> None:
    """Write attempt ``job.attempt``."""
    row = {"job_id": job.id, "attempt": job.attempt, "driver": job.driver, "epoch": epoch, "assigned_at": at}
    connection.execute(_BEGIN, row)


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
    connection.execute(
        _END,
        {
            "job": job_id,
            "number": attempt,
            "outcome": outcome,
            "ended_at": at,
            "started_at": started_at,
            "busy_s": busy_s,
        },
    )


def driver_names(connection: Connection, job_id: str) -> dict[int, str]:
    """Who had which attempt of a job."""
    query = (
        select(attempts.c.attempt, drivers.c.name)
        .join(drivers, drivers.c.id == attempts.c.driver)
        .where(attempts.c.job_id == job_id)
    )
    return {row.attempt: row.name for row in connection.execute(query)}

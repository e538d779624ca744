"""Totals that lists show, counted as rows come and go instead of row by row."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from .prepared import Prepared
from .schema import tallies

ALL_JOBS = "jobs"

_ADD = Prepared(update(tallies).where(tallies.c.key == bindparam("which")).values(n=tallies.c.n + bindparam("by")))
_FIRST = insert(tallies)
_READ = select(tallies.c.n).where(tallies.c.key == bindparam("which"))


def jobs_of(owner: str) -> str:
    """The key of one person's jobs."""
    return f"jobs:{owner}"


def of_jobs(owner: str) -> tuple[str, ...]:
    """Every key that a job of ``owner`` counts for."""
    return ALL_JOBS, jobs_of(owner)


def add(connection: Connection, by: int, *keys: str) -> None:
    """Count ``by`` more."""
    for key in keys:
        if _ADD.run(connection, which=key, by=by) == 0:
            connection.execute(_FIRST, {"key": key, "n": by})


def read(connection: Connection, key: str) -> int:
    """The total."""
    return int(connection.execute(_READ, {"which": key}).scalar() or 0)

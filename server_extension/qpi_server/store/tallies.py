"""Totals that lists show, counted as rows come and go instead of row by row."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from .prepared import Prepared
from .schema import tallies

ALL_JOBS = "jobs"

_OF_JOB = or_(tallies.c.key == bindparam("all"), tallies.c.key == bindparam("own"))
_ADD = Prepared(update(tallies).where(_OF_JOB).values(n=tallies.c.n + bindparam("by")))
_KNOWN = select(tallies.c.key).where(_OF_JOB)
_FIRST = insert(tallies)
_READ = select(tallies.c.n).where(tallies.c.key == bindparam("which"))


def jobs_of(owner: str) -> str:
    """The key of one person's jobs."""
    return f"jobs:{owner}"


def count_job(connection: Connection, owner: str, by: int) -> None:
    """Count ``by`` more jobs of ``owner``, and of all people."""
    keys = {"all": ALL_JOBS, "own": jobs_of(owner)}
    if _ADD.run(connection, **keys, by=by) < len(keys):
        known = set(connection.execute(_KNOWN, keys).scalars())
        for key in sorted({*keys.values()} - known):
            connection.execute(_FIRST, {"key": key, "n": by})


def read(connection: Connection, key: str) -> int:
    """The total."""
    return int(connection.execute(_READ, {"which": key}).scalar() or 0)

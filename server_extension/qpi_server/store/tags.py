"""The tags of jobs, as rows to search by; the job's own row has them, too."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert

from .schema import job_tags

_ADD = insert(job_tags)
_FORGET = delete(job_tags).where(job_tags.c.seq == bindparam("of"))


def put(connection: Connection, seq: int, names: Iterable[str]) -> None:
    """Make these the tags of the job with that ``seq``."""
    connection.execute(_FORGET, {"of": seq})
    add(connection, seq, names)


def add(connection: Connection, seq: int, names: Iterable[str]) -> None:
    """Tag a new job."""
    if rows := [{"tag": name, "seq": seq} for name in dict.fromkeys(names)]:
        connection.execute(_ADD, rows)

"""Takes rows away: jobs that were deleted, and what only needs to be kept for a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Connection, bindparam, delete, exists, insert, select, update

from . import jobs as job_rows
from . import tags, tallies
from .jobs import JobRecord
from .rows import each
from .schema import events, idempotency, jobs, programs, results

NO_PROGRAM = ""
"""What the row of a deleted job has instead of its program."""

_BLOB = select(results.c.blob_sha256).where(results.c.job_id == bindparam("job"))
_FORGET_RESULT = delete(results).where(results.c.job_id == bindparam("job"))
_HAS_BLOB = select(results.c.job_id).where(results.c.blob_sha256 == bindparam("digest")).limit(1)
_HAS_PROGRAM = select(programs.c.nbytes).where(programs.c.sha256 == bindparam("digest"))
_RUNS = select(jobs.c.seq).where(jobs.c.program_sha256 == bindparam("digest")).limit(1)
_FORGET_PROGRAM = delete(programs).where(programs.c.sha256 == bindparam("digest"))
_DELETE = update(jobs).where(jobs.c.id == bindparam("job"))


def delete_job(connection: Connection, record: JobRecord, at: datetime) -> tuple[JobRecord, str | None]:
    """Delete a final job, with its program and its result; the row stays for those of the ledger and of its attempts.

    Returns the record as it is now, and the digest of its data, which `blob_in_use` may now let go of.
    """
    _require_no_program(connection, at)
    blob = connection.execute(_BLOB, {"job": record.id}).scalar()
    connection.execute(_FORGET_RESULT, {"job": record.id})
    after = replace(record, deleted_at=at, version=record.version + 1, program_sha256=NO_PROGRAM, origin={})
    connection.execute(
        _DELETE,
        {
            "job": record.id,
            "deleted_at": at,
            "version": after.version,
            "program_sha256": NO_PROGRAM,
            "origin": {},
            "options": b"{}",
        },
    )
    if connection.execute(_RUNS, {"digest": record.program_sha256}).first() is None:
        connection.execute(_FORGET_PROGRAM, {"digest": record.program_sha256})
    tags.put(connection, record.job.seq, ())
    tallies.count_job(connection, record.job.owner, -1)
    return after, blob


def _require_no_program(connection: Connection, at: datetime) -> None:
    if connection.execute(_HAS_PROGRAM, {"digest": NO_PROGRAM}).first() is None:
        row = {"sha256": NO_PROGRAM, "packed": b"", "nbytes": 0, "created_at": at}
        connection.execute(insert(programs), row)


def blob_in_use(connection: Connection, sha256: str) -> bool:
    """Whether some job's result is this data."""
    return connection.execute(_HAS_BLOB, {"digest": sha256}).first() is not None


def blobs_in_use(connection: Connection, shelf: str) -> set[str]:
    """The digests of all data that begin with ``shelf``."""
    query = select(results.c.blob_sha256).where(
        results.c.blob_sha256 >= shelf, results.c.blob_sha256 < shelf + "g"
    )  # "g" follows the last hexadecimal digit
    return set(connection.execute(query).scalars())


def ended_before(connection: Connection, moment: datetime, limit: int) -> list[JobRecord]:
    """The jobs that ended first, as far as they did before ``moment``; not before all of their family have ended."""
    others = jobs.alias("others")
    goes_on = exists().where(others.c.family_id == jobs.c.family_id, others.c.ended_at.is_(None))
    query = (
        select(*job_rows.COLUMNS)
        .where(jobs.c.deleted_at.is_(None), jobs.c.ended_at < moment, ~goes_on)
        .order_by(jobs.c.ended_at)
        .limit(limit)
    )
    return list(each(connection.execute(query), job_rows.record))


def forget_events(connection: Connection, before: datetime, limit: int) -> int:
    """Take away the oldest events, up to the first that is not older than ``before``; how many."""
    oldest = connection.execute(select(events.c.seq, events.c.at).order_by(events.c.seq).limit(limit))
    old = [row.seq for row in takewhile(lambda row: row.at < before, oldest)]
    if old:
        connection.execute(delete(events).where(events.c.seq <= old[-1]))
    return len(old)


def forget_keys(connection: Connection, before: datetime, limit: int) -> int:
    """Take away idempotency keys that came before then; how many."""
    query = select(idempotency.c.owner, idempotency.c.key).where(idempotency.c.at < before).limit(limit)
    old = connection.execute(query).all()
    for row in old:
        connection.execute(delete(idempotency).where(idempotency.c.owner == row.owner, idempotency.c.key == row.key))
    return len(old)

"""Rows of jobs: named statements, and the counters and tags that go with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, func, insert, or_, select, update

from qpi_jupyter.core.jobs import Job, JobState, RetryPolicy

from . import tags, tallies
from .schema import idempotency, jobs, programs, qpus

OPEN = (JobState.ASSIGNED, JobState.RUNNING, JobState.CANCELLING)
"""The states in which an attempt is with a driver."""
COUNT_LIMIT = 2_000
"""How far a job's position is counted row by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job's row: what the rules see, and what only people see."""

    job: Job
    name: str = ""
    origin: dict[str, Any] = field(default_factory=dict)  # JSON from the client
    format: str
    program_sha256: str
    num_circuits: int
    shots: int
    submitted_at: datetime
    version: int = 1
    started_at: datetime | None = None
    ended_at: datetime | None = None
    busy_s: float | None = None
    progress: float = 0.0
    project: str = ""
    shared_with: str | None = None
    """A group that sees the job."""
    deleted_at: datetime | None = None
    raw_estimate_s: float | None = None
    """The executor's own estimate, before correction."""
    eta_at: datetime | None = None
    """When it was expected to start, said at submit."""

    @property
    def id(self) -> str:
        return self.job.id


_HIDDEN = {"options", "parent_id", "plan_id", "depends_on"}
COLUMNS = [column for column in jobs.c if column.name not in _HIDDEN]
_BY_ID = select(*COLUMNS).where(jobs.c.id == bindparam("job_id"), jobs.c.deleted_at.is_(None))
_OF_DRIVER = select(*COLUMNS).where(jobs.c.driver == bindparam("by"), jobs.c.state.in_([s.value for s in OPEN]))
_COUNT_OF_DRIVER = (
    select(func.count())
    .select_from(jobs)
    .where(jobs.c.driver == bindparam("by"), jobs.c.state.in_([s.value for s in OPEN]))
)


def record(row: Row[Any]) -> JobRecord:
    """The row of `COLUMNS` as a record."""
    job = Job(
        id=row.id,
        owner=row.owner,
        qpu=row.qpu,
        state=JobState(row.state),
        attempt=row.attempt,
        tries=row.tries,
        started=row.started,
        lost_since=row.lost_since,
        retry=RetryPolicy(row.retry),
        retry_safe=row.retry_safe,
        priority=row.priority,
        seq=row.seq,
        checked=row.checked,
        estimate_s=row.estimate_s,
        upper_s=row.upper_s,
        driver=row.driver,
        submitted_at=row.submitted_at,
        error=row.error,
        tags=tuple(row.tags),
        account=row.account,
    )
    return JobRecord(
        job=job,
        name=row.name,
        origin=row.origin,
        format=row.format,
        program_sha256=row.program_sha256,
        num_circuits=row.num_circuits,
        shots=row.shots,
        submitted_at=row.submitted_at,
        version=row.version,
        started_at=row.started_at,
        ended_at=row.ended_at,
        busy_s=row.busy_s,
        progress=row.progress,
        project=row.project,
        shared_with=row.shared_with,
        deleted_at=row.deleted_at,
        raw_estimate_s=row.raw_estimate_s,
        eta_at=row.eta_at,
    )


def find(connection: Connection, job_id: str) -> JobRecord | None:
    """The job of that id, if there is one that nobody has deleted."""
    row = connection.execute(_BY_ID, {"job_id": job_id}).first()
    return None if row is None else record(row)


def open_of_driver(connection: Connection, driver: str) -> list[JobRecord]:
    """Every job whose attempt this driver has."""
    return [record(row) for row in connection.execute(_OF_DRIVER, {"by": driver})]


def count_open(connection: Connection, driver: str) -> int:
    """How many attempts a driver has."""
    return int(connection.execute(_COUNT_OF_DRIVER, {"by": driver}).scalar_one())


_OPEN_ON = (
    select(*COLUMNS)
    .where(jobs.c.qpu == bindparam("on"), jobs.c.state.in_([s.value for s in OPEN]))
    .order_by(jobs.c.seq)
)


def open_on(connection: Connection, qpu: str) -> list[JobRecord]:
    """Every job whose attempt is with a driver of this QPU."""
    return [record(row) for row in connection.execute(_OPEN_ON, {"on": qpu})]


def drivers_with_open_jobs(connection: Connection) -> list[tuple[str, str]]:
    """Each with its QPU."""
    states = [s.value for s in OPEN]
    query = select(jobs.c.driver, jobs.c.qpu).where(jobs.c.driver.is_not(None), jobs.c.state.in_(states)).distinct()
    return [(driver, qpu) for driver, qpu in connection.execute(query)]


def lost(connection: Connection) -> list[JobRecord]:
    """Every run whose driver went silent."""
    query = select(*COLUMNS).where(jobs.c.state == JobState.RUNNING, jobs.c.lost_since.is_not(None))
    return [record(row) for row in connection.execute(query)]


def next_unchecked(connection: Connection, qpu: str) -> JobRecord | None:
    """The first job that nobody has checked yet."""
    query = (
        select(*COLUMNS)
        .where(jobs.c.qpu == qpu, jobs.c.state == JobState.QUEUED, jobs.c.checked.is_(False))
        .order_by(jobs.c.priority.desc(), jobs.c.seq)
        .limit(1)
    )
    row = connection.execute(query).first()
    return None if row is None else record(row)


def _rules(job: Job) -> dict[str, Any]:
    """The columns that the rules may change."""
    return {
        "state": job.state.value,
        "attempt": job.attempt,
        "tries": job.tries,
        "started": job.started,
        "lost_since": job.lost_since,
        "retry": job.retry.value,
        "checked": job.checked,
        "estimate_s": job.estimate_s,
        "upper_s": job.upper_s,
        "driver": job.driver,
        "error": job.error,
    }


_INSERT = insert(jobs)
_UPDATE = update(jobs).where(jobs.c.id == bindparam("job_id"))


def add(connection: Connection, new: JobRecord, options: bytes) -> int:
    """Write a new job; its ``seq``."""
    job = new.job
    result = connection.execute(
        _INSERT,
        {
            **_rules(job),
            "id": job.id,
            "version": new.version,
            "owner": job.owner,
            "qpu": job.qpu,
            "retry_safe": job.retry_safe,
            "priority": job.priority,
            "submitted_at": new.submitted_at,
            "name": new.name,
            "tags": list(job.tags),
            "origin": new.origin,
            "cell_id": new.origin.get("cell_id"),
            "format": new.format,
            "program_sha256": new.program_sha256,
            "options": options,
            "num_circuits": new.num_circuits,
            "shots": new.shots,
            "progress": 0.0,
            "project": new.project,
            "account": job.account,
            "shared_with": new.shared_with,
            "raw_estimate_s": new.raw_estimate_s,
            "eta_at": new.eta_at,
        },
    )
    _count(connection, job.qpu, None, job)
    tallies.add(connection, 1, *tallies.of_jobs(job.owner))
    assert result.inserted_primary_key is not None
    seq = int(result.inserted_primary_key[0])
    tags.put(connection, seq, job.tags)
    return seq


def save(connection: Connection, before: JobRecord, after: JobRecord) -> None:
    """Write what changed from ``before`` to ``after``, counters included."""
    connection.execute(
        _UPDATE,
        {
            **_rules(after.job),
            "job_id": after.id,
            "version": after.version,
            "started_at": after.started_at,
            "ended_at": after.ended_at,
            "busy_s": after.busy_s,
            "progress": after.progress,
            "num_circuits": after.num_circuits,
            "raw_estimate_s": after.raw_estimate_s,
        },
    )
    _count(connection, after.job.qpu, before.job, after.job)


def edit(connection: Connection, after: JobRecord) -> None:
    """Write what people may change of a job at any time."""
    row = {
        "job_id": after.id,
        "version": after.version,
        "name": after.name,
        "tags": list(after.job.tags),
        "project": after.project,
        "shared_with": after.shared_with,
    }
    connection.execute(_UPDATE, row)
    tags.put(connection, after.job.seq, after.job.tags)


_COUNTERS = (
    update(qpus)
    .where(qpus.c.name == bindparam("qpu"))
    .values(
        queued=qpus.c.queued + bindparam("by_queued"),
        queued_s=qpus.c.queued_s + bindparam("by_queued_s"),
        running=qpus.c.running + bindparam("by_running"),
    )
)


def _count(connection: Connection, qpu: str, before: Job | None, after: Job) -> None:
    was, now = _weights(before), _weights(after)
    if was != now:
        by = [b - a for a, b in zip(was, now, strict=True)]
        connection.execute(_COUNTERS, {"qpu": qpu, "by_queued": by[0], "by_queued_s": by[1], "by_running": by[2]})


def _weights(job: Job | None) -> tuple[int, float, int]:
    if job is None or job.state.final:
        return (0, 0.0, 0)
    return (1, job.estimate_s, 0) if job.state is JobState.QUEUED else (0, 0.0, 1)


_OPTIONS = select(jobs.c.options).where(jobs.c.id == bindparam("job_id"))


def options(connection: Connection, job_id: str) -> bytes:
    """The run options as JSON."""
    return bytes(connection.execute(_OPTIONS, {"job_id": job_id}).scalar_one())


def ahead(connection: Connection, job: Job) -> tuple[int, float]:
    """How many jobs of its QPU go before a queued one, and the seconds that they are expected to take.

    Counted up to `COUNT_LIMIT`; behind more than that it is taken to be the last.
    """
    rows = (
        select(jobs.c.estimate_s)
        .where(
            jobs.c.qpu == job.qpu,
            jobs.c.state == JobState.QUEUED,
            or_(jobs.c.priority > job.priority, and_(jobs.c.priority == job.priority, jobs.c.seq < job.seq)),
        )
        .limit(COUNT_LIMIT)
        .subquery()
    )
    count, seconds = connection.execute(select(func.count(), func.sum(rows.c.estimate_s)).select_from(rows)).one()
    if count < COUNT_LIMIT:
        return int(count), float(seconds or 0.0)
    queued, queued_s = connection.execute(select(qpus.c.queued, qpus.c.queued_s).where(qpus.c.name == job.qpu)).one()
    return int(queued) - 1, float(queued_s) - job.estimate_s


# Programs and idempotency keys

_PROGRAM = select(programs.c.packed).where(programs.c.sha256 == bindparam("digest"))
_HAS_PROGRAM = select(programs.c.nbytes).where(programs.c.sha256 == bindparam("digest"))
_SMALL_PROGRAM = _PROGRAM.where(programs.c.nbytes <= bindparam("at_most"))
_ADD_PROGRAM = insert(programs)


def add_program(connection: Connection, sha256: str, packed: bytes, at: datetime) -> None:
    """Keep a program under its digest, once."""
    if connection.execute(_HAS_PROGRAM, {"digest": sha256}).first() is None:
        row = {"sha256": sha256, "packed": packed, "nbytes": len(packed), "created_at": at}
        connection.execute(_ADD_PROGRAM, row)


def program(connection: Connection, sha256: str) -> bytes | None:
    """The packed program, if there is one of that digest."""
    packed = connection.execute(_PROGRAM, {"digest": sha256}).scalar()
    return None if packed is None else bytes(packed)


def small_program(connection: Connection, sha256: str, at_most: int) -> bytes | None:
    """The packed program, unless it has more bytes than ``at_most``."""
    packed = connection.execute(_SMALL_PROGRAM, {"digest": sha256, "at_most": at_most}).scalar()
    return None if packed is None else bytes(packed)


def runs_on(connection: Connection, sha256: str, qpu: str) -> bool:
    """Whether some job of ``qpu`` runs this program."""
    query = select(jobs.c.id).where(jobs.c.program_sha256 == sha256, jobs.c.qpu == qpu).limit(1)
    return connection.execute(query).first() is not None


_KEY = select(idempotency.c.fingerprint, idempotency.c.job_id).where(
    idempotency.c.owner == bindparam("who"), idempotency.c.key == bindparam("what")
)
_ADD_KEY = insert(idempotency)


def keyed(connection: Connection, owner: str, key: str) -> tuple[str, str] | None:
    """The fingerprint and the job that came with this key before."""
    row = connection.execute(_KEY, {"who": owner, "what": key}).first()
    return None if row is None else (row.fingerprint, row.job_id)


def add_key(connection: Connection, owner: str, key: str, fingerprint: str, job_id: str, at: datetime) -> None:
    """Remember which job came with an idempotency key."""
    row = {"owner": owner, "key": key, "fingerprint": fingerprint, "job_id": job_id, "at": at}
    connection.execute(_ADD_KEY, row)

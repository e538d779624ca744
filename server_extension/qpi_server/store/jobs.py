"""Rows of jobs: named statements, and the counters and tags that go with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, bindparam, false, func, insert, select, true, update

from qpi_jupyter.core import Job, JobState, RetryPolicy
from qpi_jupyter.core.bounds import seconds

from . import tags, tallies
from .bench import Standing
from .prepared import Prepared, written
from .rows import each, one, readable
from .schema import LABELS, idempotency, jobs, programs, qpus

OPEN = (JobState.ASSIGNED, JobState.RUNNING, JobState.CANCELLING)
"""The states in which an attempt is with a driver."""
COUNT_LIMIT = 2_000
"""How far a job's position is counted row by row."""
NEAR_END = 50
"""With fewer jobs behind it, its position is counted from the queue's end."""
LAST = 2**63 - 1
"""The place of a new job: behind all others of its priority."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job's row: what the rules see, and what only people see."""

    job: Job
    labels: Mapping[str, Any]
    """What people say of it, by the names of `schema.LABELS`."""
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
    deleted_at: datetime | None = None
    raw_estimate_s: float | None = None
    """The executor's own estimate, before correction."""
    eta_at: datetime | None = None
    """When it was expected to start, said at submit."""
    parent: str | None = None
    """Whose child it is."""
    calibration: str | None = None
    """The only one that it may run on."""
    calibration_id: str | None = None
    """The one that its result was measured with."""

    @property
    def id(self) -> str:
        return self.job.id

    @property
    def name(self) -> str:
        return str(self.labels["name"])

    @property
    def shared_with(self) -> str | None:
        """A group that sees the job."""
        group: str | None = self.labels["shared_with"]
        return group


_LABELS = [str(column.name) for column in LABELS]  # SQLAlchemy has a type of its own for a name
COLUMNS = [column for column in jobs.c if column.name != "options"]
_IS_OPEN = jobs.c.state.in_(written(OPEN))
_BY_ID = Prepared(select(*COLUMNS).where(jobs.c.id == bindparam("job_id"), jobs.c.deleted_at.is_(None)))
_WITH_DRIVER = (jobs.c.driver == bindparam("by"), _IS_OPEN)
_OF_DRIVER = Prepared(select(*COLUMNS).where(*_WITH_DRIVER))
_COUNT_OF_DRIVER = Prepared(select(func.count()).select_from(jobs).where(*_WITH_DRIVER))


def record(row: Row[Any]) -> JobRecord:
    """The row of `COLUMNS` as a record."""
    readable(row)
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
        estimate_s=seconds(row.estimate_s),
        upper_s=seconds(row.upper_s),
        driver=row.driver,
        submitted_at=row.submitted_at,
        error=row.error,
        account=row.account,
        waits_for=row.waits_for,
        family=row.family_id,
    )
    return JobRecord(
        job=job,
        labels={name: getattr(row, name) for name in _LABELS},
        origin=row.origin,
        format=row.format,
        program_sha256=row.program_sha256,
        num_circuits=row.num_circuits,
        shots=row.shots,
        submitted_at=row.submitted_at,
        version=row.version,
        started_at=row.started_at,
        ended_at=row.ended_at,
        busy_s=None if row.busy_s is None else seconds(row.busy_s),
        progress=row.progress,
        deleted_at=row.deleted_at,
        raw_estimate_s=row.raw_estimate_s,
        eta_at=row.eta_at,
        parent=row.parent_id,
        calibration=row.calibration,
        calibration_id=row.calibration_id,
    )


def find(connection: Connection, job_id: str) -> JobRecord | None:
    """The job of that id, if there is one that nobody has deleted."""
    return one(_BY_ID.first(connection, job_id=job_id), record)


def open_of_driver(connection: Connection, driver: str) -> list[JobRecord]:
    """Every job whose attempt this driver has."""
    return list(each(_OF_DRIVER.each(connection, by=driver), record))


def count_open(connection: Connection, driver: str) -> int:
    """How many attempts a driver has."""
    return int(_COUNT_OF_DRIVER.scalar(connection, by=driver))


_OPEN_ON = Prepared(select(*COLUMNS).where(jobs.c.qpu == bindparam("on"), _IS_OPEN).order_by(jobs.c.seq))


def open_on(connection: Connection, qpu: str) -> list[JobRecord]:
    """Every job whose attempt is with a driver of this QPU."""
    return list(each(_OPEN_ON.each(connection, on=qpu), record))


_UNDER_WAY = Prepared(
    select(jobs.c.seq, jobs.c.state, jobs.c.estimate_s, jobs.c.started_at).where(
        jobs.c.qpu == bindparam("on"), _IS_OPEN
    )
)


class UnderWay(NamedTuple):
    """A job whose attempt is with a driver: staged, or begun."""

    seq: int
    staged: bool
    estimate_s: float
    started_at: datetime | None

    def ran_s(self, now: datetime) -> float:
        """For how long it has run."""
        return 0.0 if self.started_at is None else (now - self.started_at).total_seconds()


def under_way(connection: Connection, qpu: str) -> list[UnderWay]:
    """Every job whose attempt is with a driver of this QPU."""
    return [
        UnderWay(row.seq, row.state == JobState.ASSIGNED, seconds(row.estimate_s), row.started_at)
        for row in _UNDER_WAY.each(connection, on=qpu)
    ]


def drivers_with_open_jobs(connection: Connection) -> list[tuple[str, str]]:
    """Each with its QPU."""
    query = select(jobs.c.driver, jobs.c.qpu).where(jobs.c.driver.is_not(None), _IS_OPEN).distinct()
    return [(driver, qpu) for driver, qpu in connection.execute(query)]


def lost(connection: Connection) -> list[JobRecord]:
    """Every run whose driver went silent."""
    query = select(*COLUMNS).where(jobs.c.state == JobState.RUNNING, jobs.c.lost_since.is_not(None))
    return list(each(connection.execute(query), record))


def _rules(job: Job) -> dict[str, Any]:
    """The columns that the rules may change."""
    return {
        "qpu": job.qpu,
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
        "waits_for": job.waits_for,
    }


_INSERT = Prepared(insert(jobs).returning(jobs.c.seq))
_UPDATE = update(jobs).where(jobs.c.id == bindparam("job_id"))
_SAVE, _EDIT = Prepared(_UPDATE), Prepared(_UPDATE)


def waiting(connection: Connection, owner: str, most: int) -> int:
    """How many jobs of a person wait; not counted beyond ``most``."""
    some = select(jobs.c.seq).where(
        jobs.c.owner == owner, jobs.c.state.in_([JobState.BLOCKED, JobState.QUEUED]), jobs.c.deleted_at.is_(None)
    )
    return int(connection.execute(select(func.count()).select_from(some.limit(most).subquery())).scalar() or 0)


def add(connection: Connection, new: JobRecord, options: bytes) -> int:
    """Write a new job; its ``seq``."""
    job = new.job
    seq = int(
        _INSERT.scalar(
            connection,
            **_rules(job),
            id=job.id,
            version=new.version,
            owner=job.owner,
            retry_safe=job.retry_safe,
            priority=job.priority,
            submitted_at=new.submitted_at,
            **new.labels,
            origin=new.origin,
            cell_id=new.origin.get("cell_id"),
            format=new.format,
            program_sha256=new.program_sha256,
            options=options,
            num_circuits=new.num_circuits,
            shots=new.shots,
            progress=0.0,
            account=job.account,
            family_id=job.family,
            raw_estimate_s=new.raw_estimate_s,
            eta_at=new.eta_at,
            calibration=new.calibration,
        )
    )
    _count(connection, job.qpu, None, job)
    tallies.count_job(connection, job.owner, 1)
    tags.add(connection, seq, new.labels["tags"])
    return seq


def save(connection: Connection, before: JobRecord, after: JobRecord) -> None:
    """Write what changed from ``before`` to ``after``, counters included."""
    _SAVE.run(
        connection,
        **_rules(after.job),
        job_id=after.id,
        version=after.version,
        started_at=after.started_at,
        ended_at=after.ended_at,
        busy_s=after.busy_s,
        progress=after.progress,
        num_circuits=after.num_circuits,
        raw_estimate_s=after.raw_estimate_s,
        calibration_id=after.calibration_id,
    )
    if before.job.qpu == after.job.qpu:
        _count(connection, after.job.qpu, before.job, after.job)
    else:
        _count(connection, before.job.qpu, before.job, None)
        _count(connection, after.job.qpu, None, after.job)


def edit(connection: Connection, after: JobRecord) -> None:
    """Write what people may change of a job at any time."""
    _EDIT.run(connection, job_id=after.id, version=after.version, **after.labels)
    tags.put(connection, after.job.seq, after.labels["tags"])


_COUNTERS = Prepared(
    update(qpus)
    .where(qpus.c.name == bindparam("qpu"))
    .values(
        queued=qpus.c.queued + bindparam("by_queued"),
        queued_s=qpus.c.queued_s + bindparam("by_queued_s"),
        running=qpus.c.running + bindparam("by_running"),
    )
)


def _count(connection: Connection, qpu: str, before: Job | None, after: Job | None) -> None:
    was, now = _weights(before), _weights(after)
    if was != now:
        by = [b - a for a, b in zip(was, now, strict=True)]
        _COUNTERS.run(connection, qpu=qpu, by_queued=by[0], by_queued_s=by[1], by_running=by[2])


def _weights(job: Job | None) -> tuple[int, float, int]:
    if job is None or job.state.final or job.state is JobState.BLOCKED:
        return (0, 0.0, 0)
    return (1, job.estimate_s, 0) if job.state is JobState.QUEUED else (0, 0.0, 1)


_OPTIONS = Prepared(select(jobs.c.options).where(jobs.c.id == bindparam("job_id")))


def options(connection: Connection, job_id: str) -> bytes:
    """The run options as JSON."""
    return bytes(_OPTIONS.scalar(connection, job_id=job_id))


def _counted(*where: ColumnElement[bool]) -> Prepared:
    """How many queued jobs there are in a stretch of the queue's index, up to a number, and their seconds."""
    queued = (jobs.c.qpu == bindparam("on"), jobs.c.state.in_(written([JobState.QUEUED])))
    rows = (
        select(jobs.c.estimate_s)
        .where(*queued, jobs.c.checked.in_([true(), false()]), *where)
        .limit(bindparam("most"))
        .subquery()
    )
    return Prepared(select(func.count(), func.coalesce(func.sum(rows.c.estimate_s), 0.0)).select_from(rows))


_SAME = jobs.c.priority == bindparam("level")
_AHEAD = _counted(jobs.c.priority > bindparam("level")), _counted(_SAME, jobs.c.seq < bindparam("place"))
_BEHIND = _counted(jobs.c.priority < bindparam("level")), _counted(_SAME, jobs.c.seq > bindparam("place"))


def ahead(connection: Connection, job: Job, standing: Standing) -> tuple[int, float]:
    """How many jobs of its QPU go before a queued one, or a new one, and the seconds that they are expected to take.

    Counted up to `COUNT_LIMIT`; behind more than that it is taken to be the last. ``standing`` is the QPU's.
    """
    queued, queued_s = standing.queued, standing.queued_s
    last = (queued - 1, max(0.0, queued_s - job.estimate_s)) if job.seq else (queued, queued_s)
    if not queued:
        return 0, 0.0
    # Most who ask have just come: then the few behind are counted, and the counters know the others.
    count, seconds = _count_up(connection, _BEHIND, job, NEAR_END)
    if count < NEAR_END:
        before = last[0] - count
        return (before, max(0.0, last[1] - seconds)) if before < COUNT_LIMIT else last
    count, seconds = _count_up(connection, _AHEAD, job, COUNT_LIMIT)
    return (count, seconds) if count < COUNT_LIMIT else last


def _count_up(connection: Connection, stretches: tuple[Prepared, Prepared], job: Job, most: int) -> tuple[int, float]:
    """The jobs of another and of the same priority; ``most`` or more: not counted further."""
    other, same = stretches
    count, seconds = other.first(connection, on=job.qpu, level=job.priority, most=most)
    if not job.seq and stretches is _BEHIND:  # nothing is behind a new one
        return count, seconds
    more, more_s = same.first(connection, on=job.qpu, level=job.priority, place=job.seq or LAST, most=most)
    return count + more, seconds + more_s


# Programs and idempotency keys

_THIS = programs.c.sha256 == bindparam("digest")
_PROGRAM = Prepared(select(programs.c.packed).where(_THIS))
_HAS_PROGRAM = Prepared(select(programs.c.nbytes).where(_THIS))
_SMALL_PROGRAM = Prepared(select(programs.c.packed).where(_THIS, programs.c.nbytes <= bindparam("at_most")))
_ADD_PROGRAM = Prepared(insert(programs))


def add_program(connection: Connection, sha256: str, packed: bytes, at: datetime) -> None:
    """Keep a program under its digest, once."""
    if _HAS_PROGRAM.first(connection, digest=sha256) is None:
        _ADD_PROGRAM.run(connection, sha256=sha256, packed=packed, nbytes=len(packed), created_at=at)


def program(connection: Connection, sha256: str) -> bytes | None:
    """The packed program, if there is one of that digest."""
    packed = _PROGRAM.scalar(connection, digest=sha256)
    return None if packed is None else bytes(packed)


def small_program(connection: Connection, sha256: str, at_most: int) -> bytes | None:
    """The packed program, unless it has more bytes than ``at_most``."""
    packed = _SMALL_PROGRAM.scalar(connection, digest=sha256, at_most=at_most)
    return None if packed is None else bytes(packed)


def runs_on(connection: Connection, sha256: str, qpu: str) -> bool:
    """Whether some job of ``qpu`` runs this program."""
    query = select(jobs.c.id).where(jobs.c.program_sha256 == sha256, jobs.c.qpu == qpu).limit(1)
    return connection.execute(query).first() is not None


_KEY = Prepared(
    select(idempotency.c.fingerprint, idempotency.c.job_id).where(
        idempotency.c.owner == bindparam("who"), idempotency.c.key == bindparam("what")
    )
)
_ADD_KEY = Prepared(insert(idempotency))


def keyed(connection: Connection, owner: str, key: str) -> tuple[str, str] | None:
    """The fingerprint and the job that came with this key before."""
    row = _KEY.first(connection, who=owner, what=key)
    return None if row is None else (row.fingerprint, row.job_id)


def add_key(connection: Connection, owner: str, key: str, fingerprint: str, job_id: str, at: datetime) -> None:
    """Remember which job came with an idempotency key."""
    _ADD_KEY.run(connection, owner=owner, key=key, fingerprint=fingerprint, job_id=job_id, at=at)

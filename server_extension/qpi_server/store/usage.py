"""What was used and measured: QPU-seconds by person and hour, and what each QPU's estimates are worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, insert, select, update

from qpi_jupyter.core import JobState

from .jobs import OPEN
from .prepared import Prepared, written
from .schema import jobs, qpus, usage

HOUR_S = 3600

_THIS = (usage.c.qpu == bindparam("on"), usage.c.hour == bindparam("in_hour"), usage.c.person == bindparam("who"))
_MORE = Prepared(update(usage).where(*_THIS).values(busy_s=usage.c.busy_s + bindparam("by")))
_SHARES = (
    select(usage.c.person, func.sum(usage.c.busy_s))
    .where(usage.c.qpu == bindparam("on"), usage.c.hour >= bindparam("first"))
    .group_by(usage.c.person)
)
_RUNNING = (
    select(jobs.c.owner, func.sum(jobs.c.estimate_s))
    .where(jobs.c.qpu == bindparam("on"), jobs.c.state.in_(written(OPEN)))
    .group_by(jobs.c.owner)
)


def add(connection: Connection, qpu: str, person: str, at: datetime, busy_s: float) -> None:
    """Count what a person used."""
    hour = int(at.timestamp()) // HOUR_S
    if _MORE.run(connection, on=qpu, in_hour=hour, who=person, by=busy_s) == 0:
        connection.execute(insert(usage), {"qpu": qpu, "hour": hour, "person": person, "busy_s": busy_s})


def shares(connection: Connection, qpu: str, since: datetime) -> dict[str, float]:
    """QPU-seconds by person: used since then, by whole hours, and expected of what runs now."""
    first = int(since.timestamp()) // HOUR_S
    used = {person: float(sum_s) for person, sum_s in connection.execute(_SHARES, {"on": qpu, "first": first})}
    for person, sum_s in connection.execute(_RUNNING, {"on": qpu}):
        used[person] = used.get(person, 0.0) + float(sum_s)
    return used


class PastRun(NamedTuple):
    """A job that has started, as far as predictions can be learnt from it."""

    qpu: str
    estimate_s: float
    busy_s: float | None
    submitted_at: datetime
    started_at: datetime
    eta_at: datetime | None


_PAST = (
    select(jobs.c.qpu, jobs.c.estimate_s, jobs.c.busy_s, jobs.c.submitted_at, jobs.c.started_at, jobs.c.eta_at)
    .where(jobs.c.started_at.is_not(None), jobs.c.state == JobState.COMPLETED.value, jobs.c.attempt == 1)
    .order_by(jobs.c.seq.desc())
)


def past_runs(connection: Connection, most: int) -> list[PastRun]:
    """The latest jobs that completed at once, the oldest first."""
    return [PastRun(*row) for row in connection.execute(_PAST.limit(most))][::-1]


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a QPU's runs taught: the correction of its estimates, and the error of its predicted starts."""

    correction: float
    correction_n: int
    eta_error_s: float | None
    eta_n: int


_LEARNT = Prepared(
    select(qpus.c.correction, qpus.c.correction_n, qpus.c.eta_error_s, qpus.c.eta_n).where(
        qpus.c.name == bindparam("on")
    )
)
_LEARN = Prepared(update(qpus).where(qpus.c.name == bindparam("on")))


def learnt(connection: Connection, qpu: str) -> Learnt:
    """What is known so far."""
    return Learnt(*_LEARNT.first(connection, on=qpu))


def learn(connection: Connection, qpu: str, known: Learnt) -> None:
    """Keep what is known after one more start or run."""
    _LEARN.run(
        connection,
        on=qpu,
        correction=known.correction,
        correction_n=known.correction_n,
        eta_error_s=known.eta_error_s,
        eta_n=known.eta_n,
    )

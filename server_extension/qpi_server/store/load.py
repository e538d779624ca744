"""How many jobs each QPU has: the one count that every list, card and chart shows."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, ScalarSelect, bindparam, exists, func, select

from qpi_jupyter.core import JobState

from .prepared import Prepared
from .schema import jobs, plan_jobs, qpus


class Load(NamedTuple):
    """Jobs that have not ended, by their public status: what a driver has staged waits like what is in the queue. A
    plan's job is none of them, for it runs on no QPU: its fragments' are."""

    waiting: int
    running: int


def _in_state(state: JobState, *more: ColumnElement[bool]) -> ScalarSelect[int]:
    here = (jobs.c.qpu == qpus.c.name, jobs.c.state == state.value, *more)
    return select(func.count()).select_from(jobs).where(*here).correlate(qpus).scalar_subquery()


_OF_A_PLAN = exists().where(plan_jobs.c.job_id == jobs.c.id)
_STAGED: ColumnElement[int] = _in_state(JobState.ASSIGNED)
_BLOCKED = _in_state(JobState.BLOCKED, ~_OF_A_PLAN)
_LOADS = select(qpus.c.name, qpus.c.queued + _STAGED + _BLOCKED, qpus.c.running - _STAGED)
_ALL = Prepared(_LOADS)
_LOAD = Prepared(_LOADS.where(qpus.c.name == bindparam("of")))


def loads(connection: Connection) -> dict[str, Load]:
    """Of every QPU, by its name."""
    return {name: Load(waiting, running) for name, waiting, running in _ALL.each(connection)}


def load(connection: Connection, qpu: str) -> Load:
    """Of one QPU."""
    _, waiting, running = _LOAD.first(connection, of=qpu)
    return Load(waiting, running)

"""How many jobs each QPU has: the one count that every list, card and chart shows."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, ScalarSelect, bindparam, func, select

from qpi_jupyter.core import JobState

from .prepared import Prepared
from .schema import jobs, qpus


class Load(NamedTuple):
    """Jobs that have not ended, by their public status: what a driver has staged waits like what is in the queue."""

    waiting: int
    running: int


def _in_state(state: JobState) -> ScalarSelect[int]:
    here = (jobs.c.qpu == qpus.c.name, jobs.c.state == state.value)
    return select(func.count()).select_from(jobs).where(*here).correlate(qpus).scalar_subquery()


_STAGED: ColumnElement[int] = _in_state(JobState.ASSIGNED)
_LOADS = select(
    qpus.c.name, qpus.c.queued + _STAGED + _in_state(JobState.BLOCKED), qpus.c.running - _STAGED
)  # fmt: skip
_ALL = Prepared(_LOADS)
_LOAD = Prepared(_LOADS.where(qpus.c.name == bindparam("of")))


def loads(connection: Connection) -> dict[str, Load]:
    """Of every QPU, by its name."""
    return {name: Load(waiting, running) for name, waiting, running in _ALL.each(connection)}


def load(connection: Connection, qpu: str) -> Load:
    """Of one QPU."""
    _, waiting, running = _LOAD.first(connection, of=qpu)
    return Load(waiting, running)

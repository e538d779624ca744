"""What a waiting job can be told: why it waits, its position, and when it is likely to begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core import Estimate, Job, JobState, NotFound, Reason, View, eta, explain, needs
from qpi_server.service.base import Context, LabConfig
from qpi_server.service.links import Links
from qpi_server.store import JobRecord, bench, families, jobs, load_rules, usage

from .checking import checked


@dataclass(frozen=True, slots=True)
class _Scene:
    """A QPU at one moment: the planner's view, how long what runs is likely to go on, the error of its promises."""

    view: View
    running_s: float
    error_s: float | None

    def begins_at(self, job: Job, at: datetime, places: int, ahead_s: float) -> datetime | None:
        """When it is likely to begin, behind what takes so long; None while nobody is there to run it."""
        return eta(self.view, job, at, (self.running_s + ahead_s) / max(1, places)) if self.view.online else None

    def why(self, job: Job, at: datetime, ahead: int, about: datetime | None, unchecked: str = "") -> Reason:
        """Why it waits, behind how many, until about when, and how good such a promise was lately."""
        return replace(explain(self.view, job, at, ahead=ahead, about=about, unchecked=unchecked), error_s=self.error_s)


def _scene(connection: Connection, qpu: str, at: datetime, config: LabConfig, *, online: bool) -> _Scene:
    view = load_rules(connection, qpu, at, config.policy, online=online)
    if not config.public_bookings:
        view = replace(view, private=True)
    return _Scene(view, _running_s(connection, qpu, at), usage.learnt(connection, qpu).eta_error_s)


class Reasons:
    """Why pending jobs wait, as of one moment; what is the same for all jobs of a QPU is read once.

    ``unchecked`` says why a job's check came to nothing, if it did.
    """

    def __init__(self, connection: Connection, context: Context, links: Links, unchecked: Callable[[Job], str]) -> None:
        self._connection, self._config, self._links, self._unchecked = connection, context.config, links, unchecked
        self._now = context.now()
        self._scenes: dict[str, _Scene] = {}

    def why(self, job: Job) -> Reason:
        """See `_Scene.why`."""
        if job.state is JobState.BLOCKED:
            return needs(job, families.first_needed(self._connection, job.id))
        if (scene := self._scenes.get(job.qpu)) is None:
            online = self._links.online(job.qpu)
            scene = self._scenes[job.qpu] = _scene(self._connection, job.qpu, self._now, self._config, online=online)
        count, seconds = jobs.ahead(self._connection, job)
        about = scene.begins_at(job, self._now, self._links.places(job.qpu), seconds)
        return scene.why(job, self._now, count, about, self._unchecked(job))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is known of a new job's QPU outside the database: its driver's limits and its places, 0 while offline."""

    config: LabConfig
    estimate: Estimate | None
    timeout_s: float
    places: int

    def promise(self, connection: Connection, record: JobRecord) -> tuple[JobRecord, Reason | None]:
        """The record as it is stored, with its corrected estimate and when it is likely to begin; and why it waits
        until then, if it is checked and waits for nothing but its turn."""
        job, at = record.job, record.submitted_at
        if (correction := bench.correction(connection, job.qpu)) is None:  # deleted since it was chosen
            raise NotFound(f"There is no QPU called {job.qpu!r} any more.", code="unknown_qpu")
        raw_s = begins_at = reason = None
        if self.estimate is not None:
            job, raw_s = checked(job, self.estimate, self.timeout_s, correction), self.estimate.estimate_s
        if job.state is JobState.QUEUED:
            scene = _scene(connection, job.qpu, at, self.config, online=self.places > 0)
            count, seconds = jobs.ahead(connection, job)
            begins_at = scene.begins_at(job, at, self.places, seconds)
            reason = scene.why(job, at, count, begins_at) if job.checked else None
        return replace(record, job=job, raw_estimate_s=raw_s, eta_at=begins_at), reason


def _running_s(connection: Connection, qpu: str, now: datetime) -> float:
    """How much longer the open jobs are likely to run, together."""
    return sum(
        max(0.0, estimate_s - (0.0 if started_at is None else (now - started_at).total_seconds()))
        for estimate_s, started_at in jobs.under_way(connection, qpu)
    )

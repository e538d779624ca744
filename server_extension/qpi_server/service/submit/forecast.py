"""What a job that has not ended can be told: why it waits, its position, when it is likely to start or to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core import (
    ENOUGH,
    NOTHING,
    Estimate,
    Job,
    JobState,
    NotFound,
    Outlook,
    Prospect,
    View,
    around,
    eta,
    explain,
    needs,
    staged,
)
from qpi_jupyter.core.times import after
from qpi_server.service.base import Context, LabConfig
from qpi_server.service.links import Links
from qpi_server.store import JobRecord, bench, families, jobs, load_rules, usage

from .checking import checked


@dataclass(frozen=True, slots=True)
class _Scene:
    """A QPU at one moment: the planner's view, what drivers have, what its runs taught."""

    view: View
    under_way: list[jobs.UnderWay]
    learnt: usage.Learnt

    def staged(self, before: Job | None = None) -> int:
        """How many jobs wait with a driver; only those that were given to it before one of them."""
        return sum(one.staged for one in self.under_way if before is None or one.seq < before.seq)

    def runs(self) -> int:
        return sum(not one.staged for one in self.under_way)

    def start(self, job: Job, at: datetime, places: int, ahead_s: float) -> Outlook | None:
        """When it is likely to start, behind what is queued for so long; None while nothing can be promised."""
        if not self.view.state.open or self.learnt.correction_n < ENOUGH:
            return None
        before = [one for one in self.under_way if job.state is JobState.QUEUED or not one.staged or one.seq < job.seq]
        work_s = sum(one.left_s(at) for one in before) + ahead_s
        likely = eta(self.view, job, at, work_s / max(1, places))
        return around(likely, at, self.learnt.eta_error_s)


def _scene(connection: Connection, qpu: str, at: datetime, config: LabConfig, *, online: bool) -> _Scene:
    view = load_rules(connection, qpu, at, config.policy, online=online)
    if not config.public_bookings:
        view = replace(view, private=True)
    return _Scene(view, jobs.under_way(connection, qpu), usage.learnt(connection, qpu))


class Prospects:
    """The prospects of jobs as of one moment; what is the same for all jobs of a QPU is read once.

    ``unchecked`` says why a job's check came to nothing, if it did.
    """

    def __init__(
        self, connection: Connection, context: Context, links: Links, unchecked: Callable[[Job], str]
    ) -> None:  # fmt: skip
        self._connection, self._config, self._links, self._unchecked = connection, context.config, links, unchecked
        self._now = context.now()
        self._scenes: dict[str, _Scene] = {}

    def of(self, record: JobRecord) -> Prospect:
        """Those of one job; of one that has ended, nothing."""
        job = record.job
        if job.state is JobState.BLOCKED:
            return Prospect(needs(job, families.first_needed(self._connection, job.id)))
        if job.state is JobState.QUEUED:
            return self._queued(job)
        if job.state is JobState.ASSIGNED:
            return self._staged(job)
        if job.state is JobState.RUNNING and job.lost_since is None and record.started_at is not None:
            return Prospect(outlook=self._end(record, record.started_at))
        return NOTHING

    def _queued(self, job: Job) -> Prospect:
        scene = self._scene(job.qpu)
        count, seconds = jobs.ahead(self._connection, job)
        reason = explain(scene.view, job, self._now, ahead=scene.staged() + count, unchecked=self._unchecked(job))
        return Prospect(reason, scene.start(job, self._now, self._links.places(job.qpu), seconds))

    def _staged(self, job: Job) -> Prospect:
        """Of a job that a driver has, and runs when one before it has ended; nothing where it begins at once."""
        scene, places = self._scene(job.qpu), self._links.places(job.qpu)
        before = scene.staged(job)
        if scene.runs() + before < places:
            return NOTHING
        return Prospect(staged(scene.view, job, before=before), scene.start(job, self._now, places, 0.0))

    def _scene(self, qpu: str) -> _Scene:
        if (scene := self._scenes.get(qpu)) is None:
            online = self._links.online(qpu)
            scene = self._scenes[qpu] = _scene(self._connection, qpu, self._now, self._config, online=online)
        return scene

    def _end(self, record: JobRecord, started_at: datetime) -> Outlook | None:
        if usage.learnt(self._connection, record.job.qpu).correction_n < ENOUGH:
            return None
        return around(after(started_at, record.job.estimate_s), self._now, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is known of a new job's QPU outside the database: its driver's limits and its places, 0 while offline."""

    config: LabConfig
    estimate: Estimate | None
    timeout_s: float
    places: int

    def promise(self, connection: Connection, record: JobRecord) -> tuple[JobRecord, Prospect | None]:
        """The record as it is stored, with its corrected estimate and when it is likely to start; and its prospect, if
        it is checked and waits for nothing but its turn."""
        job, at = record.job, record.submitted_at
        if (correction := bench.correction(connection, job.qpu)) is None:  # deleted since it was chosen
            raise NotFound(f"There is no QPU called {job.qpu!r} any more.", code="unknown_qpu")
        raw_s = outlook = prospect = None
        if self.estimate is not None:
            job, raw_s = checked(job, self.estimate, self.timeout_s, correction), self.estimate.estimate_s
        if job.state is JobState.QUEUED:
            scene = _scene(connection, job.qpu, at, self.config, online=self.places > 0)
            count, seconds = jobs.ahead(connection, job)
            outlook = scene.start(job, at, self.places, seconds)
            reason = explain(scene.view, job, at, ahead=scene.staged() + count)
            prospect = Prospect(reason, outlook) if job.checked else None
        eta_at = None if outlook is None else outlook.likely
        return replace(record, job=job, raw_estimate_s=raw_s, eta_at=eta_at), prospect

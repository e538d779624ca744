"""What a waiting job can be told: why it waits, its position, and when it is likely to begin."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core.errors import NotFound
from qpi_jupyter.core.jobs import Job
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.core.planner import Policy, Reason, View, eta, explain
from qpi_server.store import bench, jobs, usage
from qpi_server.store.jobs import JobRecord
from qpi_server.store.view import load_rules, load_view

from .checking import checked
from .room import Room
from .sessions import Sessions


def why(connection: Connection, room: Room, sessions: Sessions, job: Job) -> Reason:
    """Why a queued job waits, behind how many, until about when, and how good such a promise was lately."""
    online, now = sessions.online(job.qpu), room.now()
    view, _ = load_view(connection, job.qpu, now, room.config.policy, online=online)
    count, seconds = jobs.ahead(connection, job)
    about = _begins(connection, view, job, now, seconds, sessions.places(job.qpu)) if online else None
    reason = explain(view, job, now, ahead=count, about=about)
    return replace(reason, error_s=usage.learnt(connection, job.qpu).eta_error_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What is known of a new job's QPU outside the database: its driver's limits and its places, 0 while offline."""

    policy: Policy
    estimate: Estimate | None
    timeout_s: float
    places: int

    def promise(self, connection: Connection, record: JobRecord) -> JobRecord:
        """The record as it is stored: with its corrected estimate, and when it is likely to begin."""
        job, at = record.job, record.submitted_at
        row = bench.qpu(connection, job.qpu)
        if row is None:  # deleted since it was chosen
            raise NotFound(f"There is no QPU called {job.qpu!r} any more.", code="unknown_qpu")
        raw_s = None
        if self.estimate is not None:
            job, raw_s = checked(job, self.estimate, self.timeout_s, row.correction), self.estimate.estimate_s
        begins_at = None
        if self.places:
            # The counter stands for those ahead: it costs the same however many they are.
            queued_s = row.queued_s if job.priority <= 0 else jobs.ahead(connection, job)[1]
            view = load_rules(connection, job.qpu, at, self.policy, online=True)
            begins_at = _begins(connection, view, job, at, queued_s, self.places)
        return replace(record, job=job, raw_estimate_s=raw_s, eta_at=begins_at)


def _begins(connection: Connection, view: View, job: Job, now: datetime, queued_s: float, places: int) -> datetime:
    running_s = sum(_rest(record, now) for record in jobs.open_on(connection, job.qpu))
    return eta(view, job, now, (running_s + queued_s) / max(1, places))


def _rest(record: JobRecord, now: datetime) -> float:
    """How much longer an open job is likely to run."""
    run_s = (now - record.started_at).total_seconds() if record.started_at is not None else 0.0
    return max(0.0, record.job.estimate_s - run_s)

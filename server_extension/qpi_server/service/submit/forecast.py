"""What a waiting job can be told: why it waits, its position, and when it is likely to begin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core import Estimate, Job, JobState, NotFound, Policy, Reason, View, eta, explain, needs
from qpi_server.service.base import Context
from qpi_server.service.links import Links
from qpi_server.store import JobRecord, bench, families, jobs, load_rules, usage

from .checking import checked


class Reasons:
    """Why pending jobs wait, as of one moment; what is the same for all jobs of a QPU is read once.

    ``unchecked`` says why a job's check came to nothing, if it did.
    """

    def __init__(self, connection: Connection, context: Context, links: Links, unchecked: Callable[[Job], str]) -> None:
        self._connection, self._config, self._links, self._unchecked = connection, context.config, links, unchecked
        self._now = context.now()
        self._scenes: dict[str, tuple[View, float, float | None]] = {}

    def why(self, job: Job) -> Reason:
        """Why it waits, behind how many, until about when, and how good such a promise was lately."""
        if job.state is JobState.BLOCKED:
            others = (other.job for other in families.needed(self._connection, job.id))
            return needs(job, [other.id for other in others if other.state is not JobState.COMPLETED])
        online, places = self._links.online(job.qpu), self._links.places(job.qpu)
        view, running_s, error_s = self._scene(job.qpu, online)
        count, seconds = jobs.ahead(self._connection, job)
        about = eta(view, job, self._now, (running_s + seconds) / max(1, places)) if online else None
        reason = explain(view, job, self._now, ahead=count, about=about, unchecked=self._unchecked(job))
        return replace(reason, error_s=error_s)

    def _scene(self, qpu: str, online: bool) -> tuple[View, float, float | None]:
        """The planner's view of a QPU, how long what runs is likely to go on, and the error of its promises."""
        if qpu not in self._scenes:
            view = load_rules(self._connection, qpu, self._now, self._config.policy, online=online)
            view = replace(view, private=not self._config.public_bookings)
            running_s = _running_s(self._connection, qpu, self._now)
            self._scenes[qpu] = view, running_s, usage.learnt(self._connection, qpu).eta_error_s
        return self._scenes[qpu]


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is known of a new job's QPU outside the database: its driver's limits and its places, 0 while offline."""

    policy: Policy
    estimate: Estimate | None
    timeout_s: float
    places: int

    def promise(self, connection: Connection, record: JobRecord) -> JobRecord:
        """The record as it is stored: with its corrected estimate, and when it is likely to begin."""
        job, at = record.job, record.submitted_at
        demand = bench.demand(connection, job.qpu)
        if demand is None:  # deleted since it was chosen
            raise NotFound(f"There is no QPU called {job.qpu!r} any more.", code="unknown_qpu")
        queued_s, correction = demand
        raw_s = None
        if self.estimate is not None:
            job, raw_s = checked(job, self.estimate, self.timeout_s, correction), self.estimate.estimate_s
        begins_at = None
        if self.places and job.state is JobState.QUEUED:
            # The counter stands for those ahead: it costs the same however many they are.
            if job.priority > 0:
                queued_s = jobs.ahead(connection, job)[1]
            view = load_rules(connection, job.qpu, at, self.policy, online=True)
            running_s = _running_s(connection, job.qpu, at)
            begins_at = eta(view, job, at, (running_s + queued_s) / max(1, self.places))
        return replace(record, job=job, raw_estimate_s=raw_s, eta_at=begins_at)


def _running_s(connection: Connection, qpu: str, now: datetime) -> float:
    """How much longer the open jobs are likely to run, together."""
    return sum(
        max(0.0, estimate_s - (0.0 if started_at is None else (now - started_at).total_seconds()))
        for estimate_s, started_at in jobs.under_way(connection, qpu)
    )

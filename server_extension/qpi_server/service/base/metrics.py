"""Figures for Prometheus, in a registry of the lab's own."""

from __future__ import annotations

import math
from collections import Counter as Tally
from functools import cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from qpi_jupyter.core import Job, JobState
from qpi_server.store import JobRecord
from qpi_server.store.load import Load

M = TypeVar("M", bound=MetricWrapperBase)
_WAITS = (0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0, 172800.0)
_RUNS = (0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


class Metrics:
    """What the lab counts. Nothing here is the truth about a job."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def kept(metric: M) -> M:
            """With its members by their labels kept at hand: the library looks for one under a lock."""
            metric.labels = cache(metric.labels)  # type: ignore[method-assign]
            return metric

        registry = self.registry
        self.submitted = kept(Counter("qpi_jobs_submitted", "Jobs accepted", ["qpu"], registry=registry))
        self.refused = kept(Counter("qpi_jobs_refused", "Jobs refused at submit", ["code"], registry=registry))
        self.ended = kept(Counter("qpi_jobs_ended", "Jobs that ended", ["qpu", "status"], registry=registry))
        self.attempts = kept(Counter("qpi_attempts", "Attempts given to drivers", ["qpu"], registry=registry))
        self.busy = kept(Counter("qpi_busy_seconds", "QPU-seconds charged", ["qpu"], registry=registry))
        self.queued = kept(Gauge("qpi_jobs_queued", "Jobs that wait, staged ones too", ["qpu"], registry=registry))
        self.running = kept(Gauge("qpi_jobs_running", "Jobs that run", ["qpu"], registry=registry))
        self._drivers = Gauge("qpi_drivers", "Connected drivers", ["qpu"], registry=registry)
        self._places = Gauge("qpi_places", "Jobs that the connected drivers run at once", ["qpu"], registry=registry)
        self._desired = Gauge(
            "qpi_drivers_desired", "Drivers that would run at once all that waits and runs, each like those connected",
            ["qpu"], registry=registry,
        )  # fmt: skip
        self._waits = kept(
            Histogram(
                "qpi_job_wait_seconds",
                "From submit to the last start of an ended job",
                ["qpu"],
                buckets=_WAITS,
                registry=registry,
            )
        )
        self._runs = kept(
            Histogram(
                "qpi_job_run_seconds", "QPU time of an ended job that ran", ["qpu"], buckets=_RUNS, registry=registry
            )
        )
        self._jobs: Tally[str] = Tally()
        self._places_each: dict[str, float] = {}
        self.commits = Histogram(
            "qpi_store_commit_seconds", "Time of a commit", buckets=_SECONDS, registry=self.registry
        )
        self.units = Counter("qpi_store_units", "Units of work committed", registry=self.registry)

    def committed(self, units: int, seconds: float) -> None:
        self.commits.observe(seconds)
        self.units.inc(units)

    def load(self, qpu: str, load: Load) -> None:
        self.queued.labels(qpu).set(load.waiting)
        self.running.labels(qpu).set(load.running)
        self._jobs[qpu] = load.waiting + load.running
        self._foresee(qpu)

    def linked(self, qpu: str, drivers: int, places: int) -> None:
        """So many drivers are there, with so many places together."""
        self._drivers.labels(qpu).set(drivers)
        self._places.labels(qpu).set(places)
        if drivers:  # else what one of them runs at once is what it was
            self._places_each[qpu] = max(1, places) / drivers
        self._foresee(qpu)

    def observe(self, earlier: JobRecord, later: JobRecord) -> None:
        """Count what a change of a job did."""
        before, after = earlier.job, later.job
        self.move(before, -1)
        self.move(after, +1)
        if after.attempt > before.attempt:
            self.attempts.labels(after.qpu).inc()
        if after.state.final and not before.state.final:
            self.ended.labels(after.qpu, after.state.status).inc()
            self.busy.labels(after.qpu).inc(max(0.0, later.busy_s or 0.0))
            if later.started_at is not None:
                self._waits.labels(after.qpu).observe((later.started_at - later.submitted_at).total_seconds())
            if later.busy_s is not None:
                self._runs.labels(after.qpu).observe(max(0.0, later.busy_s))

    def move(self, job: Job, by: int) -> None:
        """Count so many more jobs like this one; a plan's job is none beside its fragments, as in `store.load`."""
        runs_a_plan = job.state is JobState.BLOCKED and job.family == job.id
        if not job.state.final and not runs_a_plan:
            (self.queued if job.state.status == "pending" else self.running).labels(job.qpu).inc(by)
            if job.qpu not in self._jobs:
                self._foresee(job.qpu)
            self._jobs[job.qpu] += by

    def _foresee(self, qpu: str) -> None:
        """Have the desired drivers of a QPU worked out whenever somebody asks for them."""
        self._desired.labels(qpu).set_function(lambda: math.ceil(self._jobs[qpu] / self._places_each.get(qpu, 1.0)))

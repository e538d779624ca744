"""Figures for Prometheus, in a registry of the lab's own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from qpi_jupyter.core import JobState
from qpi_server.store import JobRecord
from qpi_server.store.load import Load

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)


class Metrics:
    """What the lab counts. Nothing here is the truth about a job."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.submitted = Counter("qpi_jobs_submitted", "Jobs accepted", ["qpu"], registry=self.registry)
        self.refused = Counter("qpi_jobs_refused", "Jobs refused at submit", ["code"], registry=self.registry)
        self.ended = Counter("qpi_jobs_ended", "Jobs that ended", ["qpu", "status"], registry=self.registry)
        self.attempts = Counter("qpi_attempts", "Attempts given to drivers", ["qpu"], registry=self.registry)
        self.busy = Counter("qpi_busy_seconds", "QPU-seconds charged", ["qpu"], registry=self.registry)
        self.queued = Gauge("qpi_jobs_queued", "Jobs that wait, staged ones too", ["qpu"], registry=self.registry)
        self.running = Gauge("qpi_jobs_running", "Jobs that run", ["qpu"], registry=self.registry)
        self.drivers = Gauge("qpi_drivers", "Connected drivers", ["qpu"], registry=self.registry)
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

    def observe(self, earlier: JobRecord, later: JobRecord) -> None:
        """Count what a change of a job did."""
        before, after = earlier.job, later.job
        self.move(before.qpu, before.state, -1)
        self.move(after.qpu, after.state, +1)
        if after.attempt > before.attempt:
            self.attempts.labels(after.qpu).inc()
        if after.state.final and not before.state.final:
            self.ended.labels(after.qpu, after.state.status).inc()
            self.busy.labels(after.qpu).inc(max(0.0, later.busy_s or 0.0))

    def move(self, qpu: str, state: JobState, by: int) -> None:
        """Count so many more jobs of a state."""
        if not state.final:
            (self.queued if state.status == "pending" else self.running).labels(qpu).inc(by)

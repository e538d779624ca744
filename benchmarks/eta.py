"""How good predicted starts are: synthetic months of three different loads, each prediction made at submit."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from qpi_jupyter.core import Booking, Job, Policy, Track, cut, eta, foreign_time
from qpi_server.replay.simulate import Lane, Run
from qpi_server.replay.trace import synthetic

from .harness import Figure

LOADS = (5_000, 10_000, 15_000)
"""Jobs a month and QPU; the last is what `jupyter qpi replay --synthetic` makes."""
SEEDS = (1, 2, 3, 4, 5)
"""Months of each load, taken together: one month differs from the next by half."""
BOOKINGS = 200
TOLD_FROM_S = 10.0
"""Shorter waits need no prediction."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was predicted at submit (seconds): plainly, and as the lab does it."""

    plain_s: float
    work_s: float
    likely_s: float
    span_s: tuple[float, float] | None
    closed: list[tuple[datetime, datetime]]


class PredictingLane(Lane):
    """A QPU on which each submit is told when it is likely to start."""

    def predict(self) -> list[tuple[Said, float]]:
        """Every prediction with the wait that came of it."""
        self.track, self.said, self.queued_s = Track(), dict[str, Said](), 0.0
        self.found: list[tuple[Said, float]] = []
        self.run()
        return self.found

    def submit(self, job: Job, now: datetime) -> None:
        runs = [(run.job.estimate_s, (now - run.started_at).total_seconds()) for run in self.running]
        plain_s = sum(max(0.0, estimate_s - ran_s) for estimate_s, ran_s in runs) + self.queued_s
        left_s = sum(self.track.left_s(*run) for run in runs)
        ahead_s = self.track.pace * self.queued_s
        self.queued_s += job.estimate_s
        super().submit(job, now)
        view, work_s = self.view(now), left_s + ahead_s

        early, likely, late = self.track.unused

        def start_s(work_s: float, unused: bool) -> float:
            return (eta(view, job, now, work_s, unused=unused) - now).total_seconds()

        span_s = None
        if self.track.known:
            low, high = self.track.spread(work_s)
            span_s = start_s(low, early), start_s(high, late)
        self.said[job.id] = Said(plain_s, work_s, start_s(work_s, likely), span_s, foreign_time(view, job, now))

    def began(self, run: Run) -> None:
        self.queued_s -= run.job.estimate_s
        said, submitted_at = self.said.pop(run.job.id), run.job.submitted_at
        assert submitted_at is not None
        shut_s = sum(
            max(0.0, (min(end, run.started_at) - max(start, submitted_at)).total_seconds())
            for start, end in said.closed
        )
        held = None
        if said.span_s is not None and run.wait_s > 1.0:
            held = said.span_s[0] - 1.0 <= run.wait_s <= said.span_s[1] + 1.0
        self.track.started(said.work_s, max(0.0, run.wait_s - shut_s), held=held)
        if run.wait_s > TOLD_FROM_S:
            self.found.append((said, run.wait_s))

    def settled(self, booking: Booking, now: datetime, *, used: bool) -> None:
        self.track.settled(used=used)
        if not used:
            for said in self.said.values():
                said.closed[:] = cut(said.closed, now)

    def ended(self, run: Run) -> None:
        self.track.ran(run.job.estimate_s, run.busy_s)


def run(*, quick: bool) -> Iterator[Figure]:
    """Five figures a load."""
    for jobs in LOADS[:1] if quick else LOADS:
        months = [_month(seed, jobs) for seed in (SEEDS[:1] if quick else SEEDS)]
        yield from _figures(f"{jobs:,} jobs", list(chain(*months)))


def _month(seed: int, jobs: int) -> list[tuple[Said, float]]:
    trace = synthetic(seed, qpus=1, jobs=jobs, bookings=BOOKINGS)
    (name, places), policy = next(iter(trace.qpus.items())), Policy()
    return PredictingLane(name, places, policy, trace).predict()


def _figures(month: str, found: list[tuple[Said, float]]) -> Iterator[Figure]:
    told = [(said, said.span_s, wait_s) for said, wait_s in found if said.span_s is not None]
    wait_s = statistics.median(wait_s for _, wait_s in found)
    plain_s = statistics.median(abs(said.plain_s - wait_s) for said, wait_s in found)
    error_s = statistics.median(abs(said.likely_s - wait_s) for said, _, wait_s in told)
    held = sum(span[0] <= wait_s <= span[1] for _, span, wait_s in told) / len(told)
    width_s = statistics.median(span[1] - span[0] for _, span, _ in told)
    yield Figure(
        name=f"start predicted, of waits over 10 s ({month})", ratio=len(told) / len(found), goal=0.7, at_most=False
    )
    yield Figure(
        name=f"median error / work ahead over rate ({month})", ratio=error_s / plain_s, goal=0.5,
        ours=error_s, bare=plain_s, unit=" s",
    )  # fmt: skip
    yield Figure(name=f"starts within their range, at least ({month})", ratio=held, goal=0.75, at_most=False)
    yield Figure(name=f"starts within their range, at most ({month})", ratio=held, goal=0.9)
    yield Figure(
        name=f"median range / median wait ({month})", ratio=width_s / wait_s, goal=1.0, ours=width_s, bare=wait_s,
        unit=" s",
    )  # fmt: skip

"""What a job that has not ended can be told: why it waits, its position, when it is likely to start or to end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from qpi_jupyter.core import (
    NOTHING,
    Estimate,
    Job,
    JobState,
    NotFound,
    Outlook,
    Prospect,
    Track,
    View,
    cut,
    eta,
    explain,
    foreign_time,
    staged,
    times,
)
from qpi_jupyter.core.families import FragmentState, needs
from qpi_server.service.base import Commits, Context, LabConfig, Tx
from qpi_server.service.bookings import Settled
from qpi_server.service.lifecycle import Change
from qpi_server.service.links import Links
from qpi_server.store import JobRecord, bench, families, jobs, load_rules, usage

from .checking import checked

MOST_SAID = 20_000
"""Jobs whose prediction is remembered until they start."""


@dataclass(frozen=True, slots=True)
class _Scene:
    """A QPU at one moment: the planner's view, what drivers have, what its runs taught."""

    view: View
    under_way: list[jobs.UnderWay]
    standing: bench.Standing
    track: Track

    def staged(self, before: Job | None = None) -> int:
        """How many jobs wait with a driver; only those that were given to it before one of them."""
        return sum(one.staged for one in self.under_way if before is None or one.seq < before.seq)

    def runs(self) -> int:
        return sum(not one.staged for one in self.under_way)

    def work_s(self, job: Job, at: datetime, places: int, ahead_s: float) -> float:
        """What goes before a job, behind what is queued for so long: by what was measured, over the places."""
        before = [one for one in self.under_way if job.state is JobState.QUEUED or not one.staged or one.seq < job.seq]
        left_s = sum(self.track.left_s(one.estimate_s, one.ran_s(at)) for one in before if not one.staged)
        ahead_s += sum(one.estimate_s for one in before if one.staged)
        return (left_s + self.track.pace * ahead_s) / max(1, places)

    def start(self, job: Job, at: datetime, work_s: float) -> Outlook | None:
        """When it is likely to start, behind so much work; None while nothing can be promised."""
        if not self.view.state.open or not self.track.known:
            return None
        low, high = self.track.spread(work_s)
        earliest, likely, latest = (
            whole(eta(self.view, job, at, work, unused=unused))
            for work, unused in zip((low, work_s, high), self.track.unused, strict=True)
        )
        return Outlook(earliest=earliest, likely=likely, latest=latest, error_s=self.standing.eta_error_s)


def whole(at: datetime) -> datetime:
    """On whole seconds: nobody can know more."""
    return times.after(at.replace(microsecond=0), at.microsecond > 0)


class Said(NamedTuple):
    """What was predicted of a new job: the work before it, and when it may not run."""

    job_id: str
    qpu: str
    work_s: float
    closed: list[tuple[datetime, datetime]]
    outlook: Outlook | None


class Tracks:
    """What the past of each QPU is worth for predictions; in memory, made anew from the latest jobs at the start."""

    def __init__(self, commits: Commits) -> None:
        self._of: dict[str, Track] = defaultdict(Track)
        self._said: dict[str, Said] = {}
        commits.on(Said, self._keep)
        commits.on(Change, self._changed)
        commits.on(Settled, self._settled)

    def __getitem__(self, qpu: str) -> Track:
        return self._of[qpu]

    def load(self, past: Iterable[usage.PastRun], settled: Iterable[tuple[str, bool]]) -> None:
        """Learn from runs and from bookings that were used or not, the oldest first.

        What was booked while a run waited is not known any more.
        """
        for qpu, used in settled:
            self._of[qpu].settled(used=used)
        for run in past:
            track = self._of[run.qpu]
            if run.eta_at is not None:
                waits = [(at - run.submitted_at).total_seconds() for at in (run.eta_at, run.started_at)]
                track.started(*waits)
            track.ran(run.estimate_s, run.busy_s or 0.0)

    def _keep(self, said: Said) -> None:
        while len(self._said) >= MOST_SAID:
            del self._said[next(iter(self._said))]
        self._said[said.job_id] = said

    def _changed(self, change: Change) -> None:
        before, after = change.before, change.after
        if after.started_at is None and not after.job.state.final:
            return
        said = self._said.pop(after.id, None)
        if said is not None and after.started_at is not None and after.job.attempt == 1:
            open_s = _open_s(said, after.submitted_at, after.started_at)
            self._of[said.qpu].started(said.work_s, open_s, held=_held(said.outlook, after))
        if after.job.state is JobState.COMPLETED and before.job.state is not JobState.COMPLETED:
            self._of[after.job.qpu].ran(after.job.estimate_s, after.busy_s or 0.0)

    def _settled(self, settled: Settled) -> None:
        self._of[settled.qpu].settled(used=settled.used)
        if not settled.used:
            for said in self._said.values():
                if said.qpu == settled.qpu:
                    said.closed[:] = cut(said.closed, settled.at)


def _held(outlook: Outlook | None, job: JobRecord) -> bool | None:
    """Whether a job started within the range that it was told; None where it was told none, or did not wait."""
    assert job.started_at is not None
    slack = timedelta(seconds=1)
    if outlook is None or job.started_at - job.submitted_at <= slack:
        return None
    return outlook.earliest - slack <= job.started_at <= outlook.latest + slack


def _open_s(said: Said, since: datetime, until: datetime) -> float:
    """How long it could have run between two moments."""
    shut = sum(max(0.0, (min(end, until) - max(start, since)).total_seconds()) for start, end in said.closed)
    return max(0.0, (until - since).total_seconds() - shut)


def _scene(
    connection: Connection, standing: bench.Standing, qpu: str, at: datetime, config: LabConfig, track: Track, *,
    online: bool,
) -> _Scene:  # fmt: skip
    view = load_rules(connection, qpu, at, config.policy, online=online, standing=standing)
    if not config.public_bookings:
        view = replace(view, private=True)
    return _Scene(view, jobs.under_way(connection, qpu), standing, track)


class Prospects:
    """The prospects of jobs as of one moment; what is the same for all jobs of a QPU is read once.

    ``unchecked`` says why a job's check came to nothing, if it did.
    """

    def __init__(
        self, connection: Connection, context: Context, links: Links, tracks: Tracks, unchecked: Callable[[Job], str]
    ) -> None:  # fmt: skip
        self._connection, self._config, self._links, self._unchecked = connection, context.config, links, unchecked
        self._tracks, self._now = tracks, context.now()
        self._scenes: dict[str, _Scene] = {}

    def of(self, record: JobRecord, fragments: Sequence[FragmentState] = ()) -> Prospect:
        """Those of one job; of one that has ended, nothing. ``fragments`` are those of its plan."""
        job = record.job
        if job.state is JobState.BLOCKED:
            first, count = ("", 0) if fragments else families.first_needed(self._connection, job.id)
            return Prospect(needs(job, first, count, fragments))
        if job.state is JobState.QUEUED:
            return self._queued(job)
        if job.state is JobState.ASSIGNED:
            return self._staged(job)
        if job.state is JobState.RUNNING and job.lost_since is None and record.started_at is not None:
            return Prospect(outlook=self._end(record, record.started_at))
        return NOTHING

    def _queued(self, job: Job) -> Prospect:
        scene = self._scene(job.qpu)
        count, seconds = jobs.ahead(self._connection, job, scene.standing)
        reason = explain(scene.view, job, self._now, ahead=scene.staged() + count, unchecked=self._unchecked(job))
        work_s = scene.work_s(job, self._now, self._links.places(job.qpu), seconds)
        return Prospect(reason, scene.start(job, self._now, work_s))

    def _staged(self, job: Job) -> Prospect:
        """Of a job that a driver has, and runs when one before it has ended; nothing where it begins at once."""
        scene, places = self._scene(job.qpu), self._links.places(job.qpu)
        before = scene.staged(job)
        if scene.runs() + before < places:
            return NOTHING
        work_s = scene.work_s(job, self._now, places, 0.0)
        return Prospect(staged(scene.view, job, before=before), scene.start(job, self._now, work_s))

    def _scene(self, qpu: str) -> _Scene:
        if (scene := self._scenes.get(qpu)) is None:
            scene = self._scenes[qpu] = _scene(
                self._connection, bench.standing(self._connection, qpu), qpu, self._now, self._config,
                self._tracks[qpu], online=self._links.online(qpu),
            )  # fmt: skip
        return scene

    def _end(self, record: JobRecord, started_at: datetime) -> Outlook | None:
        track = self._tracks[record.job.qpu]
        if not track.known:
            return None
        earliest, likely, latest = (
            max(whole(self._now), whole(times.after(started_at, s))) for s in track.lengths(record.job.estimate_s)
        )
        return Outlook(earliest=earliest, likely=likely, latest=latest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is known of a new job's QPU outside the database: its driver's limits and its places, 0 while offline."""

    config: LabConfig
    estimate: Estimate | None
    timeout_s: float
    places: int
    track: Track

    def promise(self, tx: Tx, record: JobRecord) -> tuple[JobRecord, Prospect | None]:
        """The record as it is stored, with its corrected estimate and when it is likely to start; and its prospect, if
        it is checked and waits for nothing but its turn."""
        job, at, connection = record.job, record.submitted_at, tx.connection
        standing = bench.standing(connection, job.qpu)
        if standing.deleted:  # since it was chosen
            raise NotFound(f"There is no QPU called {job.qpu!r} any more.", code="unknown_qpu")
        raw_s = eta_at = prospect = None
        if self.estimate is not None:
            job, raw_s = checked(job, self.estimate, self.timeout_s, standing.correction), self.estimate.estimate_s
        if job.state is JobState.QUEUED:
            scene = _scene(connection, standing, job.qpu, at, self.config, self.track, online=self.places > 0)
            count, seconds = jobs.ahead(connection, job, standing)
            work_s = scene.work_s(job, at, self.places, seconds)
            outlook = scene.start(job, at, work_s)
            if scene.view.state.open:
                eta_at = eta(scene.view, job, at, work_s, unused=self.track.unused[1])
                tx.tell(Said(job.id, job.qpu, work_s, foreign_time(scene.view, job, at), outlook))
            reason = explain(scene.view, job, at, ahead=scene.staged() + count)
            prospect = Prospect(reason, outlook) if job.checked else None
        return replace(record, job=job, raw_estimate_s=raw_s, eta_at=eta_at), prospect

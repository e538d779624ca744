"""Runs a trace through the lab's own planner, event after event, in a time of its own.

Each QPU is a lane: its queue, its bookings and its free places. Something happens (a job arrives or ends, a booking
begins or ends, its holder has been idle long enough), then the planner is asked for every free place, with a view as
`qpi_server.store.view` builds it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from heapq import heappop, heappush

from qpi_jupyter.core import (
    AHEAD,
    HEAD,
    VIEW_LIMIT,
    Activity,
    Booking,
    BookingMode,
    Job,
    Policy,
    View,
    next_change,
    next_job,
    times,
)

from .trace import Trace, TraceBooking, TraceJob

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """When a job of the trace ran."""

    job: Job
    started_at: datetime
    ended_at: datetime

    @property
    def wait_s(self) -> float:
        """From submit to start."""
        assert self.job.submitted_at is not None
        return (self.started_at - self.job.submitted_at).total_seconds()

    @property
    def busy_s(self) -> float:
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of a booking: how late the QPU was free for it, and whether it was given back unused."""

    booking: Booking
    late_s: float
    no_show: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that one policy made of a trace."""

    policy: Policy
    runs: list[Run]
    bookings: list[Kept]
    never: int
    """Jobs that could not run to the end of the trace and after it."""


class _Kind(IntEnum):
    """What happens first at one instant: room is made before it is given away."""

    END = 0
    BOOKING_ENDS = 1
    BOOKING_BEGINS = 2
    SUBMIT = 3
    NO_SHOW = 4
    LOOK = 5


def simulate(trace: Trace, policy: Policy, began: Callable[[], None] = lambda: None) -> Outcome:
    """Every job of ``trace`` under ``policy``; ``began`` is called for each that starts."""
    lanes = [Lane(name, places, policy, trace, began) for name, places in trace.qpus.items()]
    for lane in lanes:
        lane.run()
    return Outcome(
        policy=policy,
        runs=[run for lane in lanes for run in lane.runs],
        bookings=[kept for lane in lanes for kept in lane.kept()],
        never=sum(len(lane.queue) for lane in lanes),
    )


class _Queue:
    """Waiting jobs in the order of the store's index, all and by person."""

    def __init__(self) -> None:
        self._all: list[tuple[int, int]] = []
        self._of: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._jobs: dict[tuple[int, int], Job] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, job: Job) -> None:
        key = (-job.priority, job.seq)
        self._jobs[key] = job
        insort(self._all, key)
        insort(self._of[job.owner], key)

    def remove(self, job: Job) -> None:
        key = (-job.priority, job.seq)
        del self._jobs[key]
        for keys in (self._all, theirs := self._of[job.owner]):
            del keys[bisect_left(keys, key)]
        if not theirs:
            del self._of[job.owner]

    def first(self, count: int) -> dict[tuple[int, int], Job]:
        return {key: self._jobs[key] for key in self._all[:count]}

    def heads(self, people: Iterable[str] | None = None) -> dict[tuple[int, int], Job]:
        found: dict[tuple[int, int], Job] = {}
        for keys in self._of.values() if people is None else [self._of.get(person, []) for person in people]:
            if len(found) >= VIEW_LIMIT - HEAD:
                break
            found |= {key: self._jobs[key] for key in keys[:HEAD]}
        return found

    def short(self, longest: float) -> dict[tuple[int, int], Job]:
        found: dict[tuple[int, int], Job] = {}
        for key in self._all:
            if self._jobs[key].upper_s <= longest:
                found[key] = self._jobs[key]
                if len(found) == HEAD:
                    break
        return found


@dataclass(slots=True)
class _Person:
    """What shows whether the holder of a booking is active."""

    open_jobs: int = 0
    last_submit_at: datetime = _NEVER
    last_end_at: datetime = _NEVER


@dataclass(slots=True)
class _Shares:
    """QPU-seconds by person over a sliding window."""

    window: timedelta
    used: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    recent: deque[tuple[datetime, str, float]] = field(default_factory=deque)

    def add(self, at: datetime, person: str, seconds: float) -> None:
        self.recent.append((at, person, seconds))
        self.used[person] += seconds

    def at(self, now: datetime) -> dict[str, float]:
        while self.recent and self.recent[0][0] < now - self.window:
            _, person, seconds = self.recent.popleft()
            self.used[person] -= seconds
        return self.used


class Lane:
    """One QPU from the first event to the last."""

    def __init__(
        self, qpu: str, places: int, policy: Policy, trace: Trace, began: Callable[[], None] = lambda: None
    ) -> None:
        self.qpu, self.policy = qpu, policy
        self._began = began
        self.queue = _Queue()
        self.runs: list[Run] = []
        self._free = places
        self._running: dict[str, Run] = {}
        self._people: dict[str, _Person] = defaultdict(_Person)
        self._shares = _Shares(timedelta(seconds=min(policy.fair_share_window_s, 1e9)))
        self._bookings = sorted((b for b in trace.bookings if b.booking.qpu == qpu), key=lambda b: b.booking.start_at)
        self._starts = [item.booking.start_at for item in self._bookings]
        self._late: dict[str, float] = {}
        self._given_back: set[str] = set()
        self._looks: set[datetime] = set()
        self._serial = 0
        self._events: list[tuple[datetime, _Kind, int, TraceJob | TraceBooking | Run | None]] = []
        for job in trace.jobs:
            if job.job.qpu == qpu:
                self._push(job.submitted_at, _Kind.SUBMIT, job)
        for item in self._bookings:
            self._announce(item)
        self._busy_s = {job.job.id: job.busy_s for job in trace.jobs if job.job.qpu == qpu}

    def run(self) -> None:
        """Until nothing is left to happen."""
        while self._events:
            now = self._events[0][0]
            while self._events and self._events[0][0] == now:
                _, kind, _, what = heappop(self._events)
                self._happen(kind, what, now)
            self._give(now)

    def submit(self, job: Job, now: datetime) -> None:
        """A job joins the queue."""
        person = self._people[job.owner]
        person.open_jobs += 1
        person.last_submit_at = now
        self.queue.add(job)

    @property
    def running(self) -> Iterable[Run]:
        """What runs now."""
        return self._running.values()

    def began(self, run: Run) -> None:
        """A run begins."""
        self._began()

    def ended(self, run: Run) -> None:
        """A run has ended."""

    def settled(self, booking: Booking, now: datetime, *, used: bool) -> None:
        """It shows whether a booking's people came; where not, it is given back."""

    def kept(self) -> list[Kept]:
        """What became of the bookings."""
        return [
            Kept(
                booking=item.booking,
                late_s=self._late.get(item.booking.id, 0.0),
                no_show=item.booking.id in self._given_back,
            )
            for item in self._bookings
        ]

    def _push(self, at: datetime, kind: _Kind, what: TraceJob | TraceBooking | Run | None) -> None:
        self._serial += 1
        heappush(self._events, (at, kind, self._serial, what))

    def _announce(self, item: TraceBooking) -> None:
        booking = item.booking
        self._push(booking.start_at, _Kind.BOOKING_BEGINS, item)
        self._push(booking.end_at, _Kind.BOOKING_ENDS, item)
        if booking.no_show_at is not None and booking.no_show_at < booking.end_at:
            self._push(booking.no_show_at, _Kind.NO_SHOW, item)

    def _happen(self, kind: _Kind, what: TraceJob | TraceBooking | Run | None, now: datetime) -> None:
        if isinstance(what, TraceJob):
            self.submit(what.job, now)
        elif isinstance(what, Run):
            person = self._people[what.job.owner]
            person.open_jobs -= 1
            person.last_end_at = now
            del self._running[what.job.id]
            self._free += 1
            self.ended(what)
            self._shares.add(now, what.job.owner, what.busy_s)
        elif isinstance(what, TraceBooking) and kind is _Kind.BOOKING_BEGINS:
            self._begin(what.booking, now)
        elif isinstance(what, TraceBooking) and kind is _Kind.NO_SHOW:
            used = self._came(what.booking)
            if not used:
                self._given_back.add(what.booking.id)
            self.settled(what.booking, now, used=used)

    def _begin(self, booking: Booking, now: datetime) -> None:
        """Whose jobs are still in the way?"""
        nobodys = booking.mode is BookingMode.MAINTENANCE
        foreign = [run.ended_at for run in self._running.values() if nobodys or not booking.admits(run.job.owner)]
        if foreign:
            self._late[booking.id] = (max(foreign) - now).total_seconds()

    def _came(self, booking: Booking) -> bool:
        people = [self._people[name] for name in _admitted(booking)]
        return any(p.open_jobs or max(p.last_submit_at, p.last_end_at) >= booking.start_at for p in people)

    def _give(self, now: datetime) -> None:
        """Fill the free places."""
        while self._free and len(self.queue):
            view = self.view(now)
            job = next_job(view, now)
            if job is None:
                self._look_again(view, now)
                return
            self.queue.remove(job)
            self._free -= 1
            run = Run(job=job, started_at=now, ended_at=times.after(now, self._busy_s[job.id]))
            self.runs.append(run)
            self.began(run)
            self._running[job.id] = run
            self._push(run.ended_at, _Kind.END, run)

    def _look_again(self, view: View, now: datetime) -> None:
        """Ask once more when the time of day alone changes the answer."""
        at = next_change(view, now)
        if at is not None and at not in self._looks:
            self._looks.add(at)
            self._push(at, _Kind.LOOK, None)

    def view(self, now: datetime) -> View:
        """As `qpi_server.store.view.load_view` does it."""
        booking, ahead = self._calendar(now)
        jobs = self.queue.first(2)
        if self.policy.fair_share or booking is not None:
            jobs |= self.queue.heads()
        elif ahead:
            jobs |= self.queue.heads(_admitted(ahead[0]))
        if booking is not None:
            jobs |= self.queue.short(self.policy.backfill_max_s)
        for following in ahead[:2]:
            jobs |= self.queue.short((following.start_at - now).total_seconds())
        return View(
            qpu=self.qpu,
            jobs=tuple(jobs.values()),
            booking=booking,
            ahead=ahead,
            activity=self._activity(booking),
            shares=self._shares.at(now) if self.policy.fair_share else {},
            policy=self.policy,
        )

    def _calendar(self, now: datetime) -> tuple[Booking | None, tuple[Booking, ...]]:
        """The booking that is on and the next ones, as far as they are known by now."""
        at = bisect_right(self._starts, now)
        current = self._bookings[at - 1].booking if at else None
        if current is not None and (not current.covers(now) or current.id in self._given_back):
            current = None
        if current is not None and current.no_show_s is not None:
            current = replace(current, used=self._came(current))
        return current, tuple(item.booking for item in self._bookings[at : at + AHEAD] if item.created_at <= now)

    def _activity(self, booking: Booking | None) -> Activity:
        if booking is None:
            return Activity()
        people = [self._people[name] for name in _admitted(booking)]
        end = max(person.last_end_at for person in people)
        return Activity(
            open_jobs=sum(person.open_jobs for person in people), last_end_at=end if end is not _NEVER else None
        )


def _admitted(booking: Booking) -> set[str]:
    return {booking.booked_by, *booking.invited}

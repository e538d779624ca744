"""Which job a free place takes next (priorities, shares, backfill), and why any other one waits.

`next_job` and `explain` read the same `View` and the same rules, in the order of ``docs/explanation/who-goes-next.md``:

1. nothing during maintenance, while the QPU is disabled or while a hold is on;
2. inside an exclusive booking, the booker's and the invited people's oldest job, nobody else's;
3. inside a priority booking, the same, and others only while the booker is not active and the job is short;
4. otherwise priority, then (if fair share is on) the smaller share, then age; never a job that may still run when
   somebody else's booking begins.

A session ranks as its holder's booking in priority mode. The view is bounded: the store brings the first jobs of every
order that could matter, never the whole queue. What depends on the time of day alone is asked again at `next_change`;
what a driver has staged and should not begin any more is `recalled`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from .bookings import Booking, BookingMode
from .jobs import Job, JobState
from .qpu_states import QpuState, QpuStatus, qpu_state
from .settings import setting
from .times import after
from .words import counted, length

HEAD = 16
"""Jobs of each order that a view brings."""
VIEW_LIMIT = 2000
"""Jobs in a view, at most."""
AHEAD = 16
"""Bookings ahead in a view, at most."""


class Rule(StrEnum):
    """Why a job waits."""

    NEXT = "next"
    QPU_OFFLINE = "qpu_offline"
    QPU_DISABLED = "qpu_disabled"
    MAINTENANCE = "maintenance"
    HOLD = "hold"
    UNCHECKED = "unchecked"
    BOOKED_EXCLUSIVE = "booked_exclusive"
    BOOKED_ACTIVE = "booked_active"
    BOOKED_TOO_LONG = "booked_too_long"
    BOOKING_AHEAD = "booking_ahead"
    SESSION = "session"
    BEHIND = "behind"
    DEPENDENCY = "dependency"
    """Other jobs have to complete first."""
    PLANNING = "planning"
    """Its circuit is being planned for several QPUs."""
    PLACE = "place"
    """Fragments of a plan wait for their QPUs."""
    FRAGMENTS = "fragments"
    """It is a plan whose fragments run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a lab may set; durations in seconds."""

    idle_threshold_s: float = setting(
        5.0, "How long the holder of a booking counts as active after their last action (seconds)."
    )
    backfill_max_s: float = setting(30.0, "The longest job that may run in an idle holder's booking (seconds).")
    fair_share: bool = setting(False, "Among equal priorities, run the jobs of people with less recent use first.")
    fair_share_window_s: float = setting(86_400.0, "How far back fair share looks (seconds).", min=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A QPU held for one person's low-latency loop."""

    holder: str
    opened_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What decides whether a booker is active. A submit opens a job, so that its end is never before it."""

    open_jobs: int = 0
    last_end_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything the planner may look at, for one QPU."""

    qpu: str
    jobs: tuple[Job, ...] = ()
    online: bool = True
    enabled: bool = True
    maintenance: bool = False
    hold: str | None = None
    """Why telemetry holds the QPU back, if it does."""
    booking: Booking | None = None
    ahead: tuple[Booking, ...] = ()
    """The bookings that have not begun, by their start, `AHEAD` at most."""
    session: Session | None = None
    activity: Activity = field(default_factory=Activity)
    """Of the active booking's people."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """QPU-seconds used in the window, by person."""
    policy: Policy = field(default_factory=Policy)
    private: bool = False
    """Whether reasons leave out whose a booking or a session is."""

    def named(self, person: str) -> str:
        """The person, for those who wait."""
        return "somebody else" if self.private else person

    @property
    def state(self) -> QpuState:
        """How the QPU is."""
        return qpu_state(
            enabled=self.enabled, maintenance=self.maintenance, hold=self.hold, online=self.online, booking=self.booking
        )

    @property
    def calm(self) -> bool:
        """Whether the queue alone decides: no booking and no session, now or later."""
        return self.booking is None and not self.ahead and self.session is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What a waiting job waits for, in a word and in a sentence; since when, and until when where that is known.

    Moments are never in the sentence: whoever shows it knows the reader's clock.
    """

    rule: Rule
    message: str
    position: int | None = None
    since: datetime | None = None
    until: datetime | None = None


def next_job(view: View, now: datetime, *, wait_s: float = 0.0) -> Job | None:
    """The job that a free place should take now, or None. Input order does not matter.

    Parameters
    ----------
    wait_s
        how long the job may have to wait, at the worst, behind what the place runs first.
    """
    return min(_fit(view, now, wait_s), key=rank(view), default=None)


def next_change(view: View, now: datetime) -> datetime | None:
    """When to ask again if nothing else happens: until then no job that may not go now gets free."""
    moments = [view.booking.end_at] if view.booking is not None else []
    moments += [booking.start_at for booking in view.ahead[:1]]
    if view.session is not None:
        moments.append(view.session.expires_at)
    if view.booking is not None and (idle_at := _idle_at(view)) is not None:
        moments.append(idle_at)
    return min((moment for moment in moments if moment > now), default=None)


def recalled(view: View, staged: Sequence[tuple[Job, float]], now: datetime) -> list[Job]:
    """Which staged jobs should come back into the queue: those that may not begin any more, and for each job that is
    to go first by its booking or its priority, the last of the others.

    Parameters
    ----------
    staged
        jobs that were given to a driver and have not begun, each with how long it may still wait there (seconds).
    """
    key = rank(view)
    back = [job for job, wait_s in staged if _closed(view) is not None or _barred(view, job, now, wait_s) is not None]
    left = sorted((item for item in staged if item[0] not in back), key=lambda item: key(item[0]), reverse=True)
    urgent = sorted(_fit(view, now, max((wait_s for _, wait_s in left), default=0.0)), key=key)
    for (last, _), first in zip(left, urgent, strict=False):
        if _urgency(view, first) >= _urgency(view, last):
            break
        back.append(last)
    return back


def begins_in(running: Iterable[float], places: int) -> float:
    """How long a job waits at the worst until it begins, behind jobs that take ``running`` seconds each, in order."""
    free = [0.0] * max(1, places)
    for seconds in running:
        heapq.heappush(free, heapq.heappop(free) + seconds)
    return min(free)


def rank(view: View) -> Callable[[Job], tuple[object, ...]]:
    """The sort key of rule 4, with the people of the active booking or session first."""

    def key(job: Job) -> tuple[object, ...]:
        share = view.shares.get(job.owner, 0.0) if view.policy.fair_share else 0.0
        mine = _belongs(view, job.owner)
        return (*_urgency(view, job), 0.0 if mine else share, job.seq, job.id)

    return key


def eta(view: View, job: Job, now: datetime, work_s: float, *, unused: bool = False) -> datetime:
    """When ``job`` is expected to begin.

    The work before it is done in the time that is open to it: from now on, but not in bookings and sessions of
    others, nor during maintenance; and there must be room for the job itself before the next of those.

    Parameters
    ----------
    work_s
        what goes before it: the rest of the running jobs and the estimates of those ahead, over the places (seconds).
    unused
        whether bookings that nobody has used so far will be given back.
    """
    begin, left_s = now, work_s
    for start, end in _shut(view, job, now, unused=unused):
        if after(begin, left_s + job.upper_s) <= start:
            break
        left_s -= max(0.0, min(left_s, (start - begin).total_seconds()))
        begin = max(begin, end)
    return after(begin, left_s)


def foreign_time(view: View, job: Job, now: datetime) -> list[tuple[datetime, datetime]]:
    """The intervals in which ``job`` may not run, as far as they are known, in order."""
    return list(_shut(view, job, now))


def explain(
    view: View,
    job: Job,
    now: datetime,
    *,
    ahead: int = 0,
    unchecked: str = "",
) -> Reason:
    """Why ``job`` is not running yet.

    Parameters
    ----------
    ahead
        how many jobs go before it, from the store's counters.
    unchecked
        why its check came to nothing the last time, if it did.
    """
    reason = _closed(view)
    if reason is None and not job.checked:
        again = f" The last try failed, and it tries again: {unchecked}" if unchecked else ""
        reason = Reason(rule=Rule.UNCHECKED, message=f"{view.qpu} has not checked the circuit yet.{again}")
    if reason is None:
        reason = _barred(view, job, now)
    if reason is None:
        if ahead:
            noun = "job goes" if ahead == 1 else "jobs go"
            message = f"{ahead} {noun} first on {view.qpu}."
            return Reason(rule=Rule.BEHIND, message=message, position=ahead + 1, since=job.submitted_at)
        return Reason(rule=Rule.NEXT, message=f"Next on {view.qpu}.", position=1, since=job.submitted_at)
    return replace(reason, position=ahead + 1, since=reason.since or job.submitted_at)


def staged(view: View, job: Job, *, before: int) -> Reason:
    """Why a job waits that a driver has already, behind so many others of the kind."""
    message = f"Next on {view.qpu}." if before == 0 else f"{counted(before, 'job')} first on {view.qpu}."
    return Reason(
        rule=Rule.BEHIND if before else Rule.NEXT, message=message, position=before + 1, since=job.submitted_at
    )


def booker_active(view: View, now: datetime) -> bool:
    """Whether the active booking's people use their time: a job is open, a session is, or they did something lately."""
    if view.booking is None:
        return False
    idle_at = _idle_at(view)
    return idle_at is None or now < idle_at


def _idle_at(view: View) -> datetime | None:
    """When the active booking's people count as idle, if nothing more happens; None while they are at it."""
    assert view.booking is not None
    seen = view.activity
    if seen.open_jobs or (view.session is not None and view.booking.admits(view.session.holder)):
        return None
    last = max(view.booking.start_at, seen.last_end_at or view.booking.start_at)
    return after(last, view.policy.idle_threshold_s)


def _fit(view: View, now: datetime, wait_s: float) -> list[Job]:
    """The jobs that may go."""
    if _closed(view) is not None:
        return []
    return [job for job in _candidates(view.jobs) if _barred(view, job, now, wait_s) is None]


def _urgency(view: View, job: Job) -> tuple[bool, int]:
    """What makes a job go before one that is staged already; smaller goes first."""
    mine = _belongs(view, job.owner)
    return (not mine, 0 if mine else -job.priority)


def _shut(view: View, job: Job, now: datetime, *, unused: bool = False) -> Iterator[tuple[datetime, datetime]]:
    """The intervals in which ``job`` may not run, in order."""
    booking, session = view.booking, view.session

    def end_of(booking: Booking) -> datetime:
        return min(booking.end_at, (booking.no_show_at if unused else None) or booking.end_at)

    if booking is not None and _foreign(booking, job):
        backfill = booking.mode is BookingMode.PRIORITY and not booker_active(view, now)
        if not (backfill and job.upper_s <= view.policy.backfill_max_s):
            yield now, end_of(booking)
    elif booking is None and session is not None and session.holder != job.owner:
        yield now, session.expires_at
    for ahead in view.ahead:
        if _foreign(ahead, job):
            yield ahead.start_at, end_of(ahead)


def _foreign(booking: Booking, job: Job) -> bool:
    """Whether the job has no business in a booking. Nobody owns a maintenance, not even who entered it."""
    return booking.mode is BookingMode.MAINTENANCE or not booking.admits(job.owner)


def _candidates(jobs: Iterable[Job]) -> Iterable[Job]:
    return (job for job in jobs if job.state is JobState.QUEUED and job.checked)


def _belongs(view: View, user: str) -> bool:
    """Whether the active booking, or the open session, is this person's."""
    if view.booking is not None:
        return view.booking.admits(user)
    return view.session is not None and view.session.holder == user


_CLOSED = {
    QpuStatus.DISABLED: Rule.QPU_DISABLED,
    QpuStatus.MAINTENANCE: Rule.MAINTENANCE,
    QpuStatus.HELD: Rule.HOLD,
    QpuStatus.OFFLINE: Rule.QPU_OFFLINE,
}


def _closed(view: View) -> Reason | None:
    """Rule 1: what stops every job of the QPU."""
    state = view.state
    if state.open:
        return None
    return Reason(rule=_CLOSED[state.status], message=f"{view.qpu} is {state.words}.", until=state.until)


def _barred(view: View, job: Job, now: datetime, wait_s: float = 0.0) -> Reason | None:
    """Rules 2 to 4: what stops this job."""
    booking = view.booking
    if booking is not None and not booking.admits(job.owner):
        who, until = view.named(booking.booked_by), booking.end_at
        if booking.mode is BookingMode.EXCLUSIVE:
            message = f"{view.qpu} belongs to {who}."
            return Reason(rule=Rule.BOOKED_EXCLUSIVE, message=message, since=booking.start_at, until=until)
        if booker_active(view, now):
            message = f"{view.qpu} is booked by {who}, who is using it."
            return Reason(rule=Rule.BOOKED_ACTIVE, message=message, since=booking.start_at, until=until)
        if job.upper_s > view.policy.backfill_max_s:
            message = (
                f"{view.qpu} is booked by {who}; while {who} is idle, jobs of up to "
                f"{length(view.policy.backfill_max_s)} may run, and this one may take {length(job.upper_s)}."
            )
            return Reason(rule=Rule.BOOKED_TOO_LONG, message=message, since=booking.start_at, until=until)
    session = view.session
    if booking is None and session is not None and session.holder != job.owner:
        holder = "Somebody else" if view.private else session.holder
        message = f"{holder} holds a session on {view.qpu}."
        return Reason(rule=Rule.SESSION, message=message, since=session.opened_at)
    return _reaches_ahead(view, job, now, wait_s)


def _reaches_ahead(view: View, job: Job, now: datetime, wait_s: float) -> Reason | None:
    """The first booking of somebody else that the job may still run into."""
    end = after(now, wait_s + job.upper_s)
    for ahead in view.ahead:
        if end <= ahead.start_at:
            return None
        if _foreign(ahead, job):
            maintenance = ahead.mode is BookingMode.MAINTENANCE
            whose = "the maintenance" if maintenance else f"{view.named(ahead.booked_by)}'s booking"
            message = f"This job may take {length(job.upper_s)} and would reach into {whose} of {view.qpu}."
            return Reason(rule=Rule.BOOKING_AHEAD, message=message, until=ahead.end_at)
    if len(view.ahead) < AHEAD or end <= view.ahead[-1].end_at:
        return None
    reach = "longer than the lab looks ahead among so many bookings"
    message = f"This job may take {length(job.upper_s)}, {reach} of {view.qpu}."
    return Reason(rule=Rule.BOOKING_AHEAD, message=message)

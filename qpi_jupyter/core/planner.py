"""Which job a free place takes next, and why any other one waits.

`next_job` and `explain` read the same `View` and the same rules, in the order of DESIGN section 4:

1. nothing during maintenance, while the QPU is disabled or while a hold is on;
2. inside an exclusive booking, the booker's and the invited people's oldest job, nobody else's;
3. inside a priority booking, the same, and others only while the booker is not active and the job is short;
4. otherwise priority, then (if fair share is on) the smaller share, then age; never a job that may still run when
   somebody else's booking begins.

A session ranks as its holder's booking in priority mode. The view is bounded: the store brings the first jobs of every
order that could matter, never the whole queue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from .bookings import Booking, BookingMode
from .jobs import Job, JobState

HEAD = 16
"""Jobs of each order that a view brings."""
VIEW_LIMIT = 2000
"""Jobs in a view, at most."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a lab may set; durations in seconds."""

    idle_threshold_s: float = 5.0
    backfill_max_s: float = 30.0
    fair_share: bool = False
    fair_share_window_s: float = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A QPU held for one person's low-latency loop."""

    holder: str
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """What decides whether a booker is active."""

    open_jobs: int = 0
    last_submit_at: datetime | None = None
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
    next_booking: Booking | None = None
    session: Session | None = None
    activity: Activity = field(default_factory=Activity)
    """Of the active booking's people."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """QPU-seconds used in the window, by person."""
    policy: Policy = field(default_factory=Policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """What a waiting job waits for, in a word and in a sentence, and since and until about when."""

    rule: Rule
    message: str
    position: int | None = None
    since: datetime | None = None
    about: datetime | None = None


def next_job(view: View, now: datetime) -> Job | None:
    """The job that a free place should take now, or None. Input order does not matter."""
    if _closed(view) is not None:
        return None
    fit = [job for job in _candidates(view.jobs) if _barred(view, job, now) is None]
    return min(fit, key=rank(view, now), default=None)


def rank(view: View, now: datetime) -> Callable[[Job], tuple[object, ...]]:
    """The sort key of rule 4, with the people of the active booking or session first."""

    def key(job: Job) -> tuple[object, ...]:
        share = view.shares.get(job.owner, 0.0) if view.policy.fair_share else 0.0
        mine = _belongs(view, job.owner)
        return (not mine, 0 if mine else -job.priority, 0.0 if mine else share, job.seq, job.id)

    return key


def explain(view: View, job: Job, now: datetime, *, ahead: int = 0, eta_s: float | None = None) -> Reason:
    """Why ``job`` is not running yet.

    Parameters
    ----------
    ahead
        how many jobs go before it, from the store's counters.
    eta_s
        how long those are expected to take.
    """
    about = now + timedelta(seconds=eta_s) if eta_s is not None else None
    reason = _closed(view)
    if reason is None and not job.checked:
        reason = Reason(rule=Rule.UNCHECKED, message=f"{view.qpu} has not checked the circuit yet.")
    if reason is None:
        reason = _barred(view, job, now)
    if reason is None:
        if ahead:
            noun = "job goes" if ahead == 1 else "jobs go"
            message = f"{ahead} {noun} first on {view.qpu}."
            return Reason(rule=Rule.BEHIND, message=message, position=ahead + 1, since=job.submitted_at, about=about)
        return Reason(rule=Rule.NEXT, message=f"Next on {view.qpu}.", position=1, since=job.submitted_at, about=about)
    return Reason(
        rule=reason.rule,
        message=reason.message,
        position=ahead + 1,
        since=reason.since or job.submitted_at,
        about=reason.about,
    )


def booker_active(view: View, now: datetime) -> bool:
    """Whether the active booking's people use their time: a job is open, a session is, or they did something lately."""
    if view.booking is None:
        return False
    seen = view.activity
    if seen.open_jobs or (view.session is not None and view.booking.admits(view.session.holder)):
        return True
    moments = [t for t in (view.booking.start_at, seen.last_submit_at, seen.last_end_at) if t is not None]
    return (now - max(moments)).total_seconds() < view.policy.idle_threshold_s


def _candidates(jobs: Iterable[Job]) -> Iterable[Job]:
    return (job for job in jobs if job.state is JobState.QUEUED and job.checked)


def _belongs(view: View, user: str) -> bool:
    """Whether the active booking, or the open session, is this person's."""
    if view.booking is not None:
        return view.booking.admits(user)
    return view.session is not None and view.session.holder == user


def _closed(view: View) -> Reason | None:
    """Rule 1: what stops every job of the QPU."""
    booking = view.booking
    if not view.enabled:
        return Reason(rule=Rule.QPU_DISABLED, message=f"{view.qpu} is disabled.")
    if view.maintenance or (booking is not None and booking.mode is BookingMode.MAINTENANCE):
        about = booking.end_at if booking is not None and booking.mode is BookingMode.MAINTENANCE else None
        return Reason(rule=Rule.MAINTENANCE, message=f"{view.qpu} is in maintenance.", about=about)
    if view.hold is not None:
        return Reason(rule=Rule.HOLD, message=f"{view.qpu} is on hold: {view.hold}.")
    if not view.online:
        return Reason(rule=Rule.QPU_OFFLINE, message=f"{view.qpu} is offline.")
    return None


def _barred(view: View, job: Job, now: datetime) -> Reason | None:
    """Rules 2 to 4: what stops this job."""
    booking = view.booking
    if booking is not None and not booking.admits(job.owner):
        who, until = booking.booked_by, booking.end_at
        if booking.mode is BookingMode.EXCLUSIVE:
            message = f"{view.qpu} belongs to {who} until {until:%H:%M}."
            return Reason(rule=Rule.BOOKED_EXCLUSIVE, message=message, since=booking.start_at, about=until)
        if booker_active(view, now):
            message = f"{view.qpu} is booked by {who}, who is using it."
            return Reason(rule=Rule.BOOKED_ACTIVE, message=message, since=booking.start_at, about=until)
        if job.upper_s > view.policy.backfill_max_s:
            message = (
                f"{view.qpu} is booked by {who}; while {who} is idle, jobs of up to "
                f"{view.policy.backfill_max_s:g} s may run, and this one may take {job.upper_s:g} s."
            )
            return Reason(rule=Rule.BOOKED_TOO_LONG, message=message, since=booking.start_at, about=until)
    session = view.session
    if booking is None and session is not None and session.holder != job.owner:
        message = f"{session.holder} holds a session on {view.qpu}."
        return Reason(rule=Rule.SESSION, message=message, since=session.opened_at)
    return _reaches_ahead(view, job, now)


def _reaches_ahead(view: View, job: Job, now: datetime) -> Reason | None:
    """The booking that the job may still run into. Nobody owns a maintenance, not even who entered it."""
    ahead = view.next_booking
    if ahead is None or now + timedelta(seconds=job.upper_s) <= ahead.start_at:
        return None
    if ahead.mode is BookingMode.MAINTENANCE:
        what = "the maintenance"
    elif not ahead.admits(job.owner):
        what = f"{ahead.booked_by}'s booking"
    else:
        return None
    message = f"This job may take {job.upper_s:g} s and would reach into {what} at {ahead.start_at:%H:%M}."
    return Reason(rule=Rule.BOOKING_AHEAD, message=message, about=ahead.end_at)

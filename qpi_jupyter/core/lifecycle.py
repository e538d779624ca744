"""The life of a job: one table, one function that reads it, and the decisions about silent drivers.

Everything about state lives in this file. Rows are states, columns are events, and every pair is written down: the
next state, STAY, IGNORE (acknowledge, change nothing) or ILLEGAL (a bug of ours: it raises, the job is unchanged).

What comes from a driver names the attempt that it is about. An event about any other attempt is refused with
``accepted=False`` and changes nothing; since ``attempt`` grows only on Assigned, that one comparison both fences off a
driver that lost its lease and lets a driver that comes back deliver what it measured.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any

from .errors import Faulted
from .jobs import MAX_TRIES, Job, JobState, RetryPolicy


class EventKind(StrEnum):
    ASSIGNED = "assigned"
    """A driver claimed the job: a new attempt begins."""
    RELEASED = "released"
    """The driver gives the job back before it ran; costs no try."""
    STARTED = "started"
    """The program runs."""
    RESULT_STORED = "result_stored"
    """The result is on disk."""
    ERRORED = "errored"
    """The program is at fault: final."""
    INTERRUPTED = "interrupted"
    """The bench is at fault: costs a try."""
    ABANDONED = "abandoned"
    """Interrupted, and no try is left."""
    CANCEL_REQUESTED = "cancel_requested"
    """Somebody who may wants it stopped."""
    ABORTED = "aborted"
    """The driver confirms that it stopped."""
    DEPENDENCY_DONE = "dependency_done"
    """A job that it waits for is completed: the last of them moves it."""
    DEPENDENCY_FAILED = "dependency_failed"
    """A job that it waits for has failed: final."""
    MOVED = "moved"
    """A plan's fragment goes to another of its QPUs: it waits until its place there is committed."""
    ASSEMBLED = "assembled"
    """The lab has put the result together from its children's: an attempt of the lab's own."""


class Rule(Enum):
    STAY = "="
    IGNORE = "."
    ILLEGAL = "!"


STAY, IGNORE, ILLEGAL = Rule.STAY, Rule.IGNORE, Rule.ILLEGAL
_B, _Q, _A = JobState.BLOCKED, JobState.QUEUED, JobState.ASSIGNED
_R, _X = JobState.RUNNING, JobState.CANCELLING
_OK, _BAD, _CAN = JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED

_COLUMNS = tuple(EventKind)
# fmt: off
_ROWS: dict[JobState, tuple[JobState | Rule, ...]] = {
    #      assigned released started  result   errored  interrupted abandoned cancel aborted
    #                                                                      dependency: done, failed   moved    assembled
    _B:   (ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL, ILLEGAL,    ILLEGAL,  _CAN,   ILLEGAL,
                                                                           _Q,      _BAD,             STAY,    _OK),
    _Q:   (_A,      IGNORE,  _R,      _OK,     _BAD,    IGNORE,     _BAD,     _CAN,   IGNORE,
                                                                           ILLEGAL, ILLEGAL,          _B,      ILLEGAL),
    _A:   (ILLEGAL, _Q,      _R,      _OK,     _BAD,    _Q,         _BAD,     _X,     _BAD,
                                                                           ILLEGAL, ILLEGAL,          _B,      ILLEGAL),
    _R:   (ILLEGAL, ILLEGAL, STAY,    _OK,     _BAD,    _Q,         _BAD,     _X,     _BAD,
                                                                           ILLEGAL, ILLEGAL,          _B,      ILLEGAL),
    _X:   (ILLEGAL, _CAN,    STAY,    _OK,     _CAN,    _CAN,       _CAN,     STAY,   _CAN,
                                                                           ILLEGAL, ILLEGAL,          ILLEGAL, ILLEGAL),
    _OK:  (ILLEGAL, IGNORE,  IGNORE,  IGNORE,  IGNORE,  IGNORE,     IGNORE,   IGNORE, IGNORE,
                                                                           IGNORE,  IGNORE,           IGNORE,  IGNORE),
    _BAD: (ILLEGAL, IGNORE,  IGNORE,  IGNORE,  IGNORE,  IGNORE,     IGNORE,   IGNORE, IGNORE,
                                                                           IGNORE,  IGNORE,           IGNORE,  IGNORE),
    _CAN: (ILLEGAL, IGNORE,  IGNORE,  IGNORE,  IGNORE,  IGNORE,     IGNORE,   IGNORE, IGNORE,
                                                                           IGNORE,  IGNORE,           IGNORE,  IGNORE),
}
# fmt: on
TRANSITIONS: dict[JobState, dict[EventKind, JobState | Rule]] = {
    state: dict(zip(_COLUMNS, row, strict=True)) for state, row in _ROWS.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact about a job.

    ``attempt`` is None for what no driver said: an assignment, a cancel, the lab's own check of a queued program, what
    became of another job, a move. ``qpu`` and ``retry`` are where a moved one goes, and how that one is tried again.
    """

    kind: EventKind
    at: datetime
    attempt: int | None = None
    driver: str | None = None
    busy_s: float = 0.0
    error: dict[str, Any] | None = None
    qpu: str = ""
    retry: RetryPolicy = RetryPolicy.SIMULATOR


_SAID_BY_A_DRIVER = frozenset({
    EventKind.RELEASED, EventKind.STARTED, EventKind.RESULT_STORED, EventKind.ERRORED, EventKind.INTERRUPTED,
    EventKind.ABORTED,
})  # fmt: skip


class EffectKind(StrEnum):
    BEGIN_ATTEMPT = "begin_attempt"
    END_ATTEMPT = "end_attempt"
    HOLD = "hold"
    """Hold the estimate for the attempt that comes next."""
    SETTLE = "settle"
    """Charge what the attempt used and give its hold back."""
    REFUND = "refund"
    """Give the attempt's hold back: the lab was at fault, or it never ran."""
    ABORT = "abort"
    """Tell the driver to stop the attempt."""
    WAKE = "wake"
    """Somebody's answer may have changed: ask the planner again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    kind: EffectKind
    attempt: int
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an event does: the job after it, what must be done in the same transaction or right after it, whether
    the event was about the current attempt, and whether anything changed."""

    job: Job
    effects: tuple[Effect, ...] = ()
    accepted: bool = True
    changed: bool = False


class IllegalTransition(Exception):
    """An event that cannot happen in this state: a bug in the server."""

    def __init__(self, job: Job, event: Event) -> None:
        super().__init__(f"{event.kind} cannot happen to job {job.id}, which is {job.state}")
        self.job, self.event = job, event


def advance(job: Job, event: Event) -> Step:
    """The next step of ``job`` after ``event``. An interruption without a try left is Abandoned, whoever says it; a
    job that waits for several stays until the last of them is done.

    Raises
    ------
    IllegalTransition
        the table says that this event cannot happen in this state, or it came from a driver and names no attempt;
        nothing changed.
    """
    if event.attempt is not None and (not 1 <= event.attempt == job.attempt or job.moved):
        # A late Started of an attempt that is not ours any more: that driver should stop.
        late = event.kind is EventKind.STARTED
        return Step(job=job, accepted=False, effects=(_abort(event.attempt),) if late else ())
    if event.kind is EventKind.INTERRUPTED and job.state in _OPEN_ATTEMPT:
        event = replace(event, kind=interrupted(job))
    if event.kind is EventKind.DEPENDENCY_DONE and job.waits_for > 1:
        return Step(job=job.with_(waits_for=job.waits_for - 1), changed=True)
    rule = TRANSITIONS[job.state][event.kind]
    nameless = event.attempt is None and event.kind in _SAID_BY_A_DRIVER
    checked_bad = event.kind is EventKind.ERRORED and job.state is _Q
    if rule is ILLEGAL or (nameless and not checked_bad and not job.state.final):
        raise IllegalTransition(job, event)
    if rule is IGNORE:
        late = event.kind is EventKind.STARTED
        return Step(job=job, effects=(_abort(job.attempt),) if late else ())
    if rule is STAY and event.kind is not EventKind.MOVED:
        return _stay(job, event)
    if event.kind is EventKind.MOVED:
        return _to_another(job, event)
    assert isinstance(rule, JobState)
    step = _move(job, event, rule)
    if rule is _X and job.lost:  # nobody is left who could confirm the stop
        return left_out(step.job, event.at, "The job was cancelled while its driver was away.")
    return step


def _abort(attempt: int) -> Effect:
    return Effect(kind=EffectKind.ABORT, attempt=attempt)


def _stay(job: Job, event: Event) -> Step:
    effects = (_abort(job.attempt),) if job.state is _X and event.kind is EventKind.STARTED else ()
    after = job.with_(started=True, lost_since=None) if event.kind is EventKind.STARTED else job
    return Step(job=after, effects=effects, changed=after != job)


def _to_another(job: Job, event: Event) -> Step:
    """The job on another QPU, whoever had it has it no more: what they still say of the attempt is refused."""
    after = job.with_(
        state=_B, qpu=event.qpu, retry=event.retry, waits_for=1, driver="" if job.attempt else None, started=False,
        lost_since=None,
    )  # fmt: skip
    n, effects = job.attempt, list[Effect]()
    if job.state in _OPEN_ATTEMPT:
        effects.append(Effect(kind=EffectKind.END_ATTEMPT, attempt=n, data={"outcome": event.kind.value}))
        if event.busy_s:
            effects.append(Effect(kind=EffectKind.SETTLE, attempt=n, data={"busy_s": event.busy_s}))
        else:
            effects.append(Effect(kind=EffectKind.REFUND, attempt=n))
        effects += (_abort(n), Effect(kind=EffectKind.HOLD, attempt=n + 1))
    return Step(job=after, effects=tuple(effects), changed=after != job)


_COSTS_A_TRY = frozenset({EventKind.INTERRUPTED, EventKind.ABANDONED})
_OPEN_ATTEMPT = frozenset({_A, _R, _X})


def _move(job: Job, event: Event, state: JobState) -> Step:
    if event.kind is EventKind.ASSEMBLED:
        after = job.with_(state=state, attempt=job.attempt + 1, waits_for=0)
        begin = Effect(kind=EffectKind.BEGIN_ATTEMPT, attempt=after.attempt)
        over = Effect(kind=EffectKind.END_ATTEMPT, attempt=after.attempt, data={"outcome": event.kind.value})
        free = Effect(kind=EffectKind.REFUND, attempt=after.attempt)
        return Step(job=after, effects=(begin, over, free), changed=True)
    if event.kind is EventKind.ASSIGNED:
        after = job.with_(state=state, attempt=job.attempt + 1, driver=event.driver, started=False, lost_since=None)
        begin = Effect(kind=EffectKind.BEGIN_ATTEMPT, attempt=after.attempt)
        return Step(job=after, effects=(begin,), changed=True)
    after = job.with_(
        state=state,
        lost_since=None,
        started=state is _R or (job.started and state is _X),
        tries=job.tries + (event.kind in _COSTS_A_TRY),
        error=_reason(job, event, state),
        waits_for=0,
    )
    return Step(job=after, effects=_effects(job, event, after), changed=True)


def _reason(job: Job, event: Event, state: JobState) -> dict[str, Any] | None:
    """Why the job ended, or is to be stopped; a failed one always says something."""
    if state in (_X, _CAN):
        return job.error or event.error
    if event.error is not None and state is _BAD:
        return event.error
    if state is not _BAD:
        return None
    message = f"The driver gave no reason ({event.kind.value})."
    return Faulted(message, code="no_reason", attempt=event.attempt).to_dict()


def _effects(job: Job, event: Event, after: Job) -> tuple[Effect, ...]:
    n = job.attempt
    if job.state is _B and after.state is _Q:  # its first attempt is held since the submit
        return (Effect(kind=EffectKind.WAKE, attempt=n),)
    if after.state is _R:
        if job.state is not _Q:
            return ()
        # The driver was thought dead, its lease had ended, and it runs after all: attempt n, not n + 1.
        return (
            Effect(kind=EffectKind.BEGIN_ATTEMPT, attempt=n),
            Effect(kind=EffectKind.REFUND, attempt=n + 1),
        )
    if after.state is _X:
        return (_abort(n),)
    effects: list[Effect] = []
    was_open = job.state in _OPEN_ATTEMPT
    salvaged = job.state is _Q and event.attempt is not None
    if was_open or salvaged:
        code = (event.error or {}).get("code", "")
        effects.append(Effect(kind=EffectKind.END_ATTEMPT, attempt=n, data={"outcome": event.kind.value, "code": code}))
    charged = event.kind in (EventKind.RESULT_STORED, EventKind.ERRORED, EventKind.ABORTED)
    if charged and (was_open or salvaged):
        effects.append(Effect(kind=EffectKind.SETTLE, attempt=n, data={"busy_s": event.busy_s}))
    elif was_open:
        effects.append(Effect(kind=EffectKind.REFUND, attempt=n))
    if job.state in (_B, _Q):
        effects.append(Effect(kind=EffectKind.REFUND, attempt=n + 1))
    if after.state is _Q:
        effects.append(Effect(kind=EffectKind.HOLD, attempt=n + 1))
        effects.append(Effect(kind=EffectKind.WAKE, attempt=n))
    return tuple(effects)


def interrupted(job: Job) -> EventKind:
    """Interrupted while a try is left, else Abandoned.

    A simulator has `MAX_TRIES`; so has an instrument before Started; after it, the run is repeated only where the
    submitter said ``retry_safe``.
    """
    may_repeat = job.retry is RetryPolicy.SIMULATOR or not job.started or job.retry_safe
    return EventKind.INTERRUPTED if may_repeat and job.tries + 1 < MAX_TRIES else EventKind.ABANDONED


def lease_expired(job: Job, now: datetime) -> Step:
    """What a silent driver means for one of its open jobs.

    An instrument that has started keeps its job, marked lost: it may still come back with data (`reclaimed`,
    `left_out`), until `salvage_over`.
    """
    if job.state is JobState.RUNNING and job.retry is RetryPolicy.HARDWARE and job.started:
        after = job if job.lost else job.with_(lost_since=now)
        return Step(job=after, changed=after != job)
    return left_out(job, now)


def reclaimed(job: Job) -> Step:
    """The driver is back and still holds the attempt."""
    after = job.with_(lost_since=None)
    return Step(job=after, changed=after != job)


def left_out(job: Job, now: datetime, reason: str = "The driver went away while it held the job.") -> Step:
    """The driver is gone, or is back without the attempt."""
    if job.state not in _OPEN_ATTEMPT:
        return Step(job=job)
    error = Faulted(reason, code="driver_lost", attempt=job.attempt).to_dict()
    return advance(job, Event(kind=EventKind.INTERRUPTED, at=now, attempt=job.attempt, error=error))


def salvage_over(job: Job, now: datetime) -> bool:
    """Whether a lost run has been waited for long enough."""
    return job.lost_since is not None and (now - job.lost_since).total_seconds() >= job.salvage_s


def on_hello(job: Job, held: Container[tuple[str, int]], now: datetime) -> Step:
    """What a driver's list of held attempts means for an open job that was given to it."""
    return reclaimed(job) if (job.id, job.attempt) in held else left_out(job, now)

"""The life of a reservation, a fragment's place on a QPU: one table, and what a refusal or a failure means for it.

Rows are states, columns are events, and every pair is written down, as in `qpi_jupyter.core.lifecycle`. A place is
prepared by a driver, committed once all places of its plan are prepared, and executed with a result that is stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from .bounds import MAX_SECONDS, figure, text
from .errors import PROGRAM_FAULTS, Conflict, QpiError
from .lifecycle import IGNORE, ILLEGAL, STAY, Rule
from .plans import MAX_ATTEMPTS, Choice, ReservationState
from .times import after

TTL_S = 60.0
"""How long a place is kept for a plan: from its request until it is committed, and then beyond its expected time."""
MAX_AGAIN = 2
"""How often the same QPU is asked again after a trouble that may pass."""
BACK_OFF_S = 0.2
"""Before the first of these; twice as long before the next, and up to a tenth more."""
JITTER = 0.1
_S = ReservationState


class ReservationEventKind(StrEnum):
    PREPARED = "prepared"
    """Its driver has looked at the program for today's calibration."""
    REFUSED = "refused"
    """Its driver, or the lab, has no place for it."""
    COMMITTED = "committed"
    """All places of the plan are prepared: the fragment may go."""
    EXECUTED = "executed"
    """The fragment's result is stored."""
    EXPIRED = "expired"
    """Its time is over, its driver is gone, or its QPU takes no jobs any more."""
    CANCELED = "canceled"
    """It is not needed any more."""


_COLUMNS = tuple(ReservationEventKind)
# fmt: off
_ROWS: dict[ReservationState, tuple[ReservationState | Rule, ...]] = {
    #              prepared     refused      committed     executed     expired     canceled
    _S.REQUESTED: (_S.PREPARED, _S.REJECTED, ILLEGAL,      ILLEGAL,     _S.EXPIRED, _S.CANCELED),
    _S.PREPARED:  (STAY,        _S.REJECTED, _S.COMMITTED, ILLEGAL,     _S.EXPIRED, _S.CANCELED),
    _S.COMMITTED: (ILLEGAL,     ILLEGAL,     STAY,         _S.EXECUTED, _S.EXPIRED, _S.CANCELED),
    _S.EXECUTED:  (IGNORE,      IGNORE,      IGNORE,       IGNORE,      IGNORE,     IGNORE),
    _S.REJECTED:  (IGNORE,      IGNORE,      IGNORE,       IGNORE,      IGNORE,     IGNORE),
    _S.EXPIRED:   (IGNORE,      IGNORE,      IGNORE,       IGNORE,      IGNORE,     IGNORE),
    _S.CANCELED:  (IGNORE,      IGNORE,      IGNORE,       IGNORE,      IGNORE,     IGNORE),
}
# fmt: on
RESERVATION_TRANSITIONS: dict[ReservationState, dict[ReservationEventKind, ReservationState | Rule]] = {
    state: dict(zip(_COLUMNS, row, strict=True)) for state, row in _ROWS.items()
}
HELD = frozenset({_S.PREPARED, _S.COMMITTED})
"""The states that keep other plans off the place."""
ENDED = frozenset({_S.EXECUTED, _S.REJECTED, _S.EXPIRED, _S.CANCELED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """What a driver says of a fragment that it has compiled for its calibration ``calibration_id``.

    ``esp`` is the estimated success probability, ``shot_s`` the time of one shot (seconds), ``digest`` is of the
    compiled circuit.

    Raises
    ------
    ValueError
        a figure that is not one; the message names the field.
    """

    esp: float
    shot_s: float
    digest: str
    calibration_id: str = ""

    def __post_init__(self) -> None:
        figure("esp", self.esp, 0.0, 1.0)
        figure("shot_s", self.shot_s, 0.0, MAX_SECONDS)
        text("digest", self.digest)
        text("calibration_id", self.calibration_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """The place of fragment ``fragment`` of the plan that job ``job_id`` runs; ``child_id`` is the fragment's job.

    ``esp``, ``duration_s`` and ``shot_s`` are what its driver said when it prepared it, for the calibration
    ``calibration_id``; ``digest`` is of what it compiled. ``observed_esp`` is the success probability by the
    calibration that the result was measured with, where that is known.
    """

    id: str
    job_id: str
    fragment: int
    child_id: str
    qpu: str
    state: ReservationState = ReservationState.REQUESTED
    esp: float | None = None
    duration_s: float | None = None
    shot_s: float | None = None
    digest: str = ""
    calibration_id: str = ""
    observed_esp: float | None = None
    reason: str = ""
    created_at: datetime
    expires_at: datetime
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationEvent:
    """A fact about a reservation; ``expires_at`` is when it ends by itself from now on."""

    kind: ReservationEventKind
    at: datetime
    reason: str = ""
    esp: float | None = None
    duration_s: float | None = None
    shot_s: float | None = None
    digest: str = ""
    calibration_id: str = ""
    expires_at: datetime | None = None


class IllegalReservation(Exception):
    """An event that cannot happen in this state: a bug in the server."""

    def __init__(self, reservation: Reservation, event: ReservationEvent) -> None:
        super().__init__(f"{event.kind} cannot happen to reservation {reservation.id}, which is {reservation.state}")
        self.reservation, self.event = reservation, event


def advance_reservation(reservation: Reservation, event: ReservationEvent) -> Reservation:
    """The reservation after ``event``; itself where that changes nothing.

    Raises
    ------
    IllegalReservation
        the table says that this event cannot happen in this state.
    """
    rule = RESERVATION_TRANSITIONS[reservation.state][event.kind]
    if rule is ILLEGAL:
        raise IllegalReservation(reservation, event)
    if not isinstance(rule, ReservationState):
        return reservation
    return replace(
        reservation,
        state=rule,
        esp=reservation.esp if event.esp is None else event.esp,
        duration_s=reservation.duration_s if event.duration_s is None else event.duration_s,
        shot_s=reservation.shot_s if event.shot_s is None else event.shot_s,
        digest=event.digest or reservation.digest,
        calibration_id=event.calibration_id or reservation.calibration_id,
        reason=event.reason,
        expires_at=event.expires_at or reservation.expires_at,
        changed_at=event.at,
    )


def committed_until(at: datetime, wait_s: float, duration_s: float) -> datetime:
    """Until when a committed place keeps others off it: its wait and its run, and `TTL_S` beyond."""
    return after(at, wait_s + duration_s + TTL_S)


def asked_again(error: QpiError, tries: int) -> bool:
    """Whether the same QPU is asked again after it refused ``tries`` times, the last time with ``error``.

    Trouble that may pass is worth it: no answer in time, a place that is taken, a fault of the bench. A program that
    does not fit, a QPU that is not good enough, and a driver that is not there are not.
    """
    final = isinstance(error, PROGRAM_FAULTS) or error.code in _NO_USE
    return not final and tries <= MAX_AGAIN


UNFIT, DRIVER_LOST, RESERVED = "unfit", "driver_lost", "reserved"
_NO_USE = frozenset({
    UNFIT, DRIVER_LOST, "qpu_offline", "no_responder", "link_closed", "other_calibration", "unknown_qpu",
    "qpu_closed", "qpu_untrusted", "old_driver",
})  # fmt: skip


def back_off_s(seed: int, fragment: int, tries: int) -> float:
    """How long to wait before the same QPU is asked again (seconds), after it refused ``tries`` times.

    The jitter is drawn from ``seed`` and ``fragment``: the same plan waits the same.
    """
    drawn = hashlib.sha256(f"{seed}/{fragment}/{tries}".encode()).digest()
    share = int.from_bytes(drawn[:8], "big") / 2**64
    return float(BACK_OFF_S * 2 ** (tries - 1) * (1 + JITTER * share))


def next_choice(choices: Sequence[Choice], used: Collection[str]) -> Choice | None:
    """The first of a fragment's QPUs that it has not been on."""
    return next((choice for choice in choices if choice.qpu not in used), None)


def quality(place: Reservation) -> float | None:
    """How good a place is: by the calibration that its result was measured with, or, until that is known, by the one
    that it was prepared for."""
    return place.esp if place.observed_esp is None else place.observed_esp


def used(places: Sequence[Reservation]) -> Reservation:
    """Of all places of a fragment, the oldest first, the one whose result counts, or is to.

    A fragment that was measured again has two jobs. While the second one is under way, that is the one; of two results
    the better one counts, and the first of two that are as good.
    """
    latest = places[-1]
    if latest.state not in ENDED or all(one.child_id == latest.child_id for one in places):
        return latest
    executed = [one for one in places if one.state is _S.EXECUTED]
    return max(executed, key=lambda one: quality(one) or 0.0, default=latest)


def measured_again(places: Sequence[Reservation], choices: Sequence[Choice], least: float) -> Choice | None:
    """Where a fragment is measured again, whose places these are: once, if its result was measured with less than
    ``least``, and a QPU is left."""
    latest = places[-1]
    once = all(one.child_id == latest.child_id for one in places)
    if latest.state is not _S.EXECUTED or latest.observed_esp is None or latest.observed_esp >= least or not once:
        return None
    return next_choice(choices, {one.qpu for one in places}) if len(places) < MAX_ATTEMPTS else None


def require_place(qpu: str, places: int, taken: int, next_free_at: datetime | None) -> None:
    """Refuse a place that other plans keep.

    Parameters
    ----------
    places
        how many jobs the QPU's drivers run at once.
    taken
        how many of these are reserved by other plans.
    next_free_at
        when one of them is expected to be free.

    Raises
    ------
    Conflict
        none is left.
    """
    if taken < max(1, places):
        return
    until = "" if next_free_at is None else f" until about {next_free_at:%H:%M:%S} UTC"
    raise Conflict(
        f"All places of {qpu} are reserved for other plans{until}. Try again then, or plan without it (qpus=).",
        code=RESERVED, qpu=qpu, next_free_at=None if next_free_at is None else next_free_at.isoformat(),
    )  # fmt: skip

"""Trying other policies on the lab's past, as the native surface sends it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from qpi_jupyter.core import Policy

from .rest import Answer, Request
from .validation import PRINTABLE

Label = Annotated[str, Meta(min_length=1, max_length=100, pattern=PRINTABLE)]

_Seconds = Annotated[float, Meta(ge=0, le=366 * 86_400)]


class PolicyIn(Request):
    """A policy to try: the one in force, but for what is given here; durations in seconds."""

    name: Label
    idle_threshold_s: _Seconds | UnsetType = UNSET
    backfill_max_s: _Seconds | UnsetType = UNSET
    fair_share: bool | UnsetType = UNSET
    fair_share_window_s: _Seconds | UnsetType = UNSET


class ReplayIn(Request):
    """``POST replay``: what was submitted from ``start_at`` (default: 30 days back) to ``end_at`` (default: now).

    With ``seed`` an invented month is replayed in its place.
    """

    policies: Annotated[list[PolicyIn], Meta(min_length=1, max_length=6)]
    start_at: datetime | None = None
    end_at: datetime | None = None
    seed: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class Waits(Answer):
    """From submit to start, in seconds: the mean, half of the jobs, all but the longest twentieth."""

    jobs: int
    mean_s: float | None
    p50_s: float | None
    p95_s: float | None


class Fairness(Answer):
    """Jain's index over people, 1 where all are equal: of their mean waits, and of their share of service."""

    waits: float
    served: float


class BookingsKept(Answer):
    """What became of the bookings; ``kept``: nobody else's job was running when they began."""

    total: int
    kept: int
    no_show: int
    latest_s: float


class Bounds(Answer):
    """How many jobs outlasted what the lab had been told, and the part that did not."""

    outlasted: int
    within: float


class ReplayResult(Answer):
    """What one policy would have meant; the figures of ``jupyter qpi replay --json``."""

    name: str
    policy: Policy
    jobs: int
    never_ran: int
    waits: dict[str, Waits]
    people: dict[str, Waits]
    utilisation: dict[str, float]
    fairness: Fairness
    bookings: BookingsKept
    estimates: Bounds


class ReplayModel(Answer):
    """The replay that runs, or the last one since the lab's server started. ``progress`` goes from 0 to 1."""

    state: Literal["running", "done", "failed", "cancelled"]
    started_by: str
    started_at: datetime
    start_at: datetime
    end_at: datetime
    policies: list[str]
    seed: int | None = None
    progress: float = 0.0
    jobs: int | None = None
    bookings: int | None = None
    ended_at: datetime | None = None
    problem: str | None = None
    results: list[ReplayResult] = []


class ReplayState(Answer):
    """The policy in force, and a replay if there was one."""

    in_force: Policy
    replay: ReplayModel | None

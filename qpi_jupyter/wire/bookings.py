"""Bookings, their rules, calendar feeds, and sessions, as the native surface sends them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from .rest import Answer, Label, Request, Whole
from .validation import CLOCK

Mode = Literal["exclusive", "priority", "maintenance"]
BookingStatus = Literal["booked", "released", "deleted", "no_show"]
Person = Annotated[str, Meta(min_length=1, max_length=200)]
Title = Annotated[str, Meta(max_length=200)]
_People = Annotated[list[Person], Meta(max_length=100)]
_Seconds = Annotated[float, Meta(gt=0, le=366 * 86_400)]


class BookingIn(Request):
    """``POST bookings``: ``[start_at, end_at)`` on one QPU, or on several as one slot (``qpus``), all or nothing.

    ``rrule`` (RFC 5545, without DTSTART) repeats it in ``timezone`` (an IANA name); every repetition is a booking of
    its own with a common ``series_id``. ``booked_by`` is for managers.
    """

    start_at: datetime
    end_at: datetime
    qpu: Label | None = None
    qpus: Annotated[list[Label], Meta(max_length=100)] = []
    mode: Mode = "priority"
    title: Title = ""
    invited: _People = []
    booked_by: Person | None = None
    rrule: Annotated[str, Meta(max_length=500)] | None = None
    timezone: Annotated[str, Meta(max_length=64)] = "UTC"


class BookingChange(Request):
    """``PATCH bookings/{id}``; what is left out stays. ``version``, if given, must still be the booking's."""

    start_at: datetime | UnsetType = UNSET
    end_at: datetime | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    title: Title | UnsetType = UNSET
    invited: _People | UnsetType = UNSET
    version: Whole | None = None


class BookingFacts(Answer):
    """What everybody may know of a booking."""

    version: int
    qpu: str
    start_at: datetime
    end_at: datetime
    mode: Mode
    status: BookingStatus
    series_id: str | None = None
    slot_id: str | None = None


class BookingModel(BookingFacts, kw_only=True):
    """One booking. ``booked_by`` and ``title`` are null where the lab keeps them private."""

    id: str
    booked_by: str | None
    title: str | None
    invited: list[str]
    mine: bool
    """Whether one booked it or is invited."""
    timezone: str = "UTC"
    used_at: datetime | None = None
    created_at: datetime | None = None
    changed_at: datetime | None = None


class BookingList(Answer):
    """By ``start_at``; ``next`` goes into ``?after=``."""

    bookings: list[BookingModel]
    next: str | None = None
    cut_at: datetime | None = None
    """Where a repetition without an end was cut, which was just booked."""


class QuietHours(Request):
    """No bookings on ``days`` (0: Monday) between ``start`` and ``end`` ("22:00"); past midnight if end <= start."""

    start: Annotated[str, Meta(pattern=CLOCK)]
    end: Annotated[str, Meta(pattern=CLOCK)]
    days: Annotated[list[Annotated[int, Meta(ge=0, le=6)]], Meta(min_length=1, max_length=7)] = field(
        default_factory=lambda: list(range(7))
    )
    timezone: Annotated[str, Meta(max_length=64)] = "UTC"


class BookingRule(Request):
    """What a booking must keep to; None: no limit. Lengths in seconds, quiet hours in ``timezone``."""

    granularity_s: _Seconds | None = None
    shortest_s: _Seconds | None = None
    longest_s: _Seconds | None = None
    horizon_s: _Seconds | None = None
    """How far ahead one may book."""
    max_ahead: Annotated[int, Meta(ge=0, le=10_000)] | None = None
    """How many bookings that are not over one may have on a QPU."""
    no_show_s: _Seconds | None = None
    """A booking whose people do nothing for so long is given back."""
    modes: Annotated[list[Mode], Meta(max_length=3)] | None = None
    quiet: Annotated[list[QuietHours], Meta(max_length=50)] = []


class BookingRuleIn(Request):
    """``PUT booking-rules``: the rule for a QPU and a group; None means every one."""

    rule: BookingRule
    qpu: Label | None = None
    group: Label | None = None


class BookingRuleModel(Answer):
    id: str
    qpu: str | None
    group: str | None
    rule: BookingRule
    changed_by: str
    changed_at: datetime


class BookingRuleList(Answer):
    """The lab's rules, and what they come to for the person who asks, by QPU."""

    rules: list[BookingRuleModel]
    mine: dict[str, BookingRule]


class NextFree(Answer):
    """The first free interval of the asked length."""

    qpu: str
    start_at: datetime
    end_at: datetime


class FeedIn(Request):
    """``POST feeds``: a secret address of one's own bookings, or of a QPU's."""

    qpu: Label | None = None


class FeedModel(Answer):
    """A calendar feed; ``url`` only where it was just made."""

    id: str
    qpu: str | None
    created_at: datetime
    used_at: datetime | None = None
    url: str | None = None


class FeedList(Answer):
    feeds: list[FeedModel]


class Imported(Answer):
    """What an .ics file brought: the new bookings, and why the others were refused."""

    bookings: list[BookingModel]
    refused: list[dict[str, str]]


class SessionIn(Request):
    """``POST sessions``: hold a QPU for a low-latency loop.

    Inside one's own booking it costs nothing more; outside, ``budget_s`` QPU-seconds are set aside, and what was held
    is charged. It ends when nobody renews it for ``idle_s``.
    """

    qpu: Label
    budget_s: Annotated[float, Meta(gt=0, le=86_400)] = 600.0
    idle_s: Annotated[float, Meta(ge=5, le=600)] = 30.0
    group: Label | None = None


class SessionModel(Answer):
    """A session. ``held_s`` is how long the QPU was held, ``busy_s`` how much of that its jobs ran.

    ``holder`` is null where the lab keeps that private; ``mine`` says whether it is the asker's own. Without a sign of
    life it ends after ``idle_s``.
    """

    id: str
    qpu: str
    holder: str | None
    opened_at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    reason: str = ""
    booking_id: str | None = None
    budget_s: float = 0.0
    idle_s: float = 30.0
    held_s: float | None = None
    busy_s: float | None = None
    mine: bool = False


class SessionList(Answer):
    sessions: list[SessionModel]

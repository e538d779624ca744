"""Time on one QPU that belongs to somebody: half-open intervals ``[start_at, end_at)``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class BookingMode(StrEnum):
    EXCLUSIVE = "exclusive"
    PRIORITY = "priority"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    id: str
    qpu: str
    booked_by: str
    start_at: datetime
    end_at: datetime
    mode: BookingMode = BookingMode.PRIORITY
    invited: frozenset[str] = frozenset()
    released: bool = False
    used: bool = False
    """Whether its people came."""
    no_show_s: float | None = None
    """Given back when nobody came for so long after its start."""

    def __post_init__(self) -> None:
        if self.start_at.tzinfo is None or self.end_at.tzinfo is None:
            raise ValueError("a booking's times carry a time zone")
        if self.end_at <= self.start_at:
            raise ValueError("a booking ends after it starts")

    def covers(self, now: datetime) -> bool:
        return self.start_at <= now < self.end_at

    @property
    def no_show_at(self) -> datetime | None:
        """When it is given back unless its people come; None once they did, or where it never is."""
        return None if self.used or self.no_show_s is None else self.start_at + timedelta(seconds=self.no_show_s)

    def admits(self, user: str) -> bool:
        """Whether the booking is this person's, by booking it or by invitation."""
        return user == self.booked_by or user in self.invited


def active(bookings: Iterable[Booking], now: datetime) -> Booking | None:
    """The booking that ``now`` falls into; a released one counts no more."""
    return next((b for b in bookings if b.covers(now) and not b.released), None)


def following(bookings: Iterable[Booking], now: datetime) -> Booking | None:
    """The next booking that has not begun."""
    return min((b for b in bookings if b.start_at > now and not b.released), key=lambda b: b.start_at, default=None)

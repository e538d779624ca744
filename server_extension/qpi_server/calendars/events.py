"""What a calendar file comes to: its events, each a request for a booking or the reason why it is none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.bookings import BookingIn


class IcsEvent(Struct, kw_only=True, frozen=True):
    """A VEVENT; where it cannot be a booking, ``problem`` (a `QpiError` as a dictionary) says why."""

    uid: str
    title: str
    start_at: datetime | None = None
    end_at: datetime | None = None
    rrule: str | None = None
    timezone: str = "UTC"
    without: tuple[datetime, ...] = ()
    """Repetitions that the file takes out or puts elsewhere, by their start (UTC)."""
    problem: dict[str, Any] | None = None

    @property
    def refusal(self) -> QpiError | None:
        """Why it cannot be a booking."""
        return None if self.problem is None else QpiError.from_dict(self.problem)

    def request(self, qpu: str) -> BookingIn:
        """The event as a request to book ``qpu``; raises its refusal."""
        if self.refusal is not None:
            raise self.refusal
        assert self.start_at is not None
        assert self.end_at is not None
        return BookingIn(
            qpu=qpu,
            start_at=self.start_at,
            end_at=self.end_at,
            title=self.title,
            rrule=self.rrule,
            timezone=self.timezone,
        )


class Answer(Struct, kw_only=True):
    """What the process says of a file: its events, or what is wrong with all of it."""

    events: list[IcsEvent] = []
    problem: dict[str, Any] | None = None

"""What one person may have of each thing: the one place of these defaults. A lab's settings may change each of them."""

from __future__ import annotations

from dataclasses import dataclass

from .access import Principal, Role
from .booking_rules import BookingLimits
from .errors import Conflict
from .settings import setting

_DAY_S = 86_400.0


def _at_most(usual: int, what: str) -> int | None:
    """As many of something as the lab's owner and its managers like."""
    return setting(usual, f"{what} per person, at most; managers have no limit.", min=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Limits of each person; None: no limit. Managers and admins, and so the owner of a lab of one, have none."""

    max_queued_jobs: int | None = _at_most(10_000, "Waiting jobs")
    max_tokens: int | None = _at_most(100, "Valid API tokens")
    max_sign_ins: int | None = _at_most(50, "Valid sign-ins")
    """A new one ends the oldest."""
    max_feeds: int | None = _at_most(50, "Calendar feeds")
    max_time_requests: int | None = _at_most(20, "Requests for QPU time that wait for an answer")
    max_enrollments: int | None = _at_most(5, "QPUs that were added by people themselves")
    max_bookings_ahead: int | None = _at_most(30, "Upcoming bookings on a QPU without a booking rule")
    max_booking_s: float | None = setting(
        3 * _DAY_S, "The longest booking, if no booking rule is set (seconds).", min=1
    )
    max_booking_ahead_s: float | None = setting(
        180 * _DAY_S, "How far ahead bookings can be made, if no booking rule is set (seconds).", min=1
    )
    disk_floor_bytes: int = setting(
        512 << 20,
        "With less free space on the lab's disk, only managers can submit jobs; results are always accepted (bytes).",
        min=0,
    )

    @property
    def booking_rule(self) -> BookingLimits:
        """What binds a person where managers have set no rule."""
        return BookingLimits(
            longest_s=self.max_booking_s, horizon_s=self.max_booking_ahead_s, max_ahead=self.max_bookings_ahead
        )


def limited(principal: Principal) -> bool:
    """Whether quotas bind this person."""
    return principal.roles.isdisjoint({Role.MANAGER, Role.ADMIN})


def require_quota(there: int, most: int | None, what: str, remedy: str, *, code: str, setting: str) -> None:
    """Refuse one more of what a person has ``there`` already.

    Raises
    ------
    Conflict
        they have ``most`` of it; the message says what to do.
    """
    if most is not None and there >= most:
        message = f"You have {there:,} {what}, as many as this lab allows ({setting}): {remedy}."
        raise Conflict(message, code=code, limit=most)

"""What one person may have of each thing: the one place of these defaults. A lab's settings may change each of them."""

from __future__ import annotations

from dataclasses import dataclass

from .access import Principal, Role
from .booking_rules import BookingRule
from .errors import Conflict

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Limits of each person; None: no limit. Managers and admins, and so the owner of a lab of one, have none."""

    max_queued_jobs: int | None = 10_000
    """Jobs of one person that wait."""
    max_tokens: int | None = 100
    """API tokens of one person that are valid."""
    max_sign_ins: int | None = 50
    """Sign-ins of one person that are valid; a new one ends the oldest."""
    max_feeds: int | None = 50
    """Calendar feeds of one person."""
    max_time_requests: int | None = 20
    """Requests for QPU time of one person that wait for an answer."""
    max_booking_s: float | None = 3 * _DAY_S
    """Length of one booking, on QPUs that no booking rule is set for; as the next two."""
    max_booking_ahead_s: float | None = 180 * _DAY_S
    """How far ahead one may book."""
    max_bookings_ahead: int | None = 30
    """Bookings of one person on one QPU that are not over."""
    disk_floor_bytes: int = 512 << 20
    """Free space of the lab's disk below which nothing new is accepted; results still are."""

    @property
    def booking_rule(self) -> BookingRule:
        """What binds a person where managers have set no rule."""
        return BookingRule(
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

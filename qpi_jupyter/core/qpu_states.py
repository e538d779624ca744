"""How a QPU is: a word, why and until when. Whatever shows it, and whatever holds jobs back for it, asks here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .bookings import Booking, BookingMode


class QpuStatus(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"
    HELD = "held"
    MAINTENANCE = "maintenance"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class QpuState:
    """``reason`` is what somebody wrote, empty where nobody did; ``until`` is when it is known to end."""

    status: QpuStatus
    reason: str = ""
    until: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether jobs may start there."""
        return self.status is QpuStatus.ONLINE

    @property
    def words(self) -> str:
        """What one says of the QPU: "on hold: helium refill"."""
        word = {QpuStatus.HELD: "on hold", QpuStatus.MAINTENANCE: "in maintenance"}.get(self.status, self.status.value)
        return f"{word}: {self.reason}" if self.reason else word


def qpu_state(
    *, enabled: bool, maintenance: bool, hold: str | None, online: bool, booking: Booking | None
) -> QpuState:  # fmt: skip
    """The state, from what is switched, whether a driver is linked, and the booking that is on."""
    reason = hold or ""
    if not enabled:
        return QpuState(status=QpuStatus.DISABLED, reason=reason)
    booked = booking is not None and booking.mode is BookingMode.MAINTENANCE
    if maintenance or booked:
        until = booking.end_at if booked and not maintenance and hold is None and booking is not None else None
        return QpuState(status=QpuStatus.MAINTENANCE, reason=reason, until=until)
    if hold is not None:
        return QpuState(status=QpuStatus.HELD, reason=reason)
    return QpuState(status=QpuStatus.ONLINE if online else QpuStatus.OFFLINE)

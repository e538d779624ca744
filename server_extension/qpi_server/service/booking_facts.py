"""What is said of a booking: its model, its event, the managers' audit line. Names only where the lab shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.wire.bookings import BookingModel
from qpi_jupyter.wire.events import EventName
from qpi_server.store import audit, facts
from qpi_server.store.audit import AuditRow
from qpi_server.store.bookings import BookingRow
from qpi_server.store.facts import EventRow


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingChanged:
    """What somebody did to a booking; ``before`` is None for a new one. ``by`` is empty where the lab itself did it."""

    action: str
    by: str
    before: BookingRow | None
    after: BookingRow


def write(connection: Connection, deeds: Iterable[BookingChanged], at: datetime, *, public: bool) -> None:
    """Append the event of each deed, and its audit line where somebody did it to another one's booking."""
    for deed in deeds:
        facts.add_event(connection, _event(deed, at, public=public))
        booking = deed.after.booking
        if deed.by not in ("", booking.booked_by):
            subject = f"booking:{booking.id}"
            data = _data(deed, public=True)
            line = AuditRow(at=at, who=deed.by, action=f"booking.{deed.action}", subject=subject, data=data)
            audit.add(connection, line)


def _event(deed: BookingChanged, at: datetime, *, public: bool) -> EventRow:
    booking = deed.after.booking
    return EventRow(
        kind=EventName.BOOKING_CHANGED,
        at=at,
        qpu=booking.qpu,
        booking_id=booking.id,
        data={"booking_id": booking.id, **_data(deed, public=public)},
    )


def _data(deed: BookingChanged, *, public: bool) -> dict[str, Any]:
    return {
        "action": deed.action,
        "by": deed.by if public else None,
        "before": None if deed.before is None else _outline(deed.before, public=public),
        "after": _outline(deed.after, public=public),
    }


def _outline(row: BookingRow, *, public: bool) -> dict[str, Any]:
    """A booking as JSON, hence ``Any``."""
    booking = row.booking
    people = {"booked_by": booking.booked_by, "title": row.title, "invited": sorted(booking.invited)} if public else {}
    return {
        "version": row.version,
        "qpu": booking.qpu,
        "start_at": booking.start_at.isoformat(),
        "end_at": booking.end_at.isoformat(),
        "mode": booking.mode.value,
        "status": booking.status.value,
        "series_id": row.series_id,
        "slot_id": row.slot_id,
        **people,
    }


def booking_model(row: BookingRow, principal: Principal, *, public: bool) -> BookingModel:
    """A booking as ``principal`` sees it."""
    booking = row.booking
    mine = booking.admits(principal.name)
    shown = public or mine or allows(principal, Permission.BOOKINGS_WRITE_ANY)
    return BookingModel(
        id=booking.id,
        version=row.version,
        qpu=booking.qpu,
        booked_by=booking.booked_by if shown else None,
        start_at=booking.start_at,
        end_at=booking.end_at,
        mode=booking.mode.value,
        status=booking.status.value,
        title=row.title if shown else None,
        invited=sorted(booking.invited) if shown else [],
        mine=mine,
        series_id=row.series_id,
        slot_id=row.slot_id,
        timezone=row.timezone,
        used_at=row.used_at,
        created_at=row.created_at,
        changed_at=row.changed_at,
    )

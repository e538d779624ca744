"""What is said of a booking: its model, its event, the managers' audit line. Names only where the lab shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from qpi_jupyter.core import Booking, Permission, Principal, allows
from qpi_jupyter.wire.bookings import BookingModel
from qpi_jupyter.wire.events import BookingAction, BookingChanged, BookingData, BookingOutline
from qpi_server.service.base import Tx
from qpi_server.store import BookingRow
from qpi_server.store.view import give_back, use


def tell(
    tx: Tx, action: BookingAction, by: Principal | None, before: BookingRow | None, after: BookingRow, *, public: bool
) -> None:
    """Tell what somebody did to a booking (``by`` None: the lab did), with an audit line where it is another one's.

    ``before`` is None for a new one. It is looked at again whose turn it is on the QPU.
    """
    booking = after.booking
    data = _data(action, by, before, after, public=public)
    tx.event(BookingChanged(at=tx.at, qpu=booking.qpu, data=data))
    tx.wake(booking.qpu)
    if by is not None and by.name != booking.booked_by:
        line = msgspec.to_builtins(_data(action, by, before, after, public=True))
        tx.audit(by, f"booking.{action}", f"booking:{line.pop('booking_id')}", **line)


class Settled(NamedTuple):
    """Whether the people of a booking came (``used``) that is given back where they don't, and when that was known."""

    qpu: str
    used: bool
    at: datetime


def came(tx: Tx, booking: Booking, at: datetime) -> None:
    """Note that a booking's people came, unless that is known."""
    if not booking.used:
        use(tx.connection, booking.id, at)
        if booking.no_show_s is not None:
            tx.tell(Settled(booking.qpu, used=True, at=at))


def stayed_away(tx: Tx, booking: Booking) -> None:
    """The booking ends now: its people did not come."""
    give_back(tx.connection, booking, tx.at)
    tx.tell(Settled(booking.qpu, used=False, at=tx.at))


def _data(
    action: BookingAction, by: Principal | None, before: BookingRow | None, after: BookingRow, *, public: bool
) -> BookingData:
    name = "" if by is None else by.name
    return BookingData(
        booking_id=after.booking.id,
        action=action,
        by=name if public else None,
        before=None if before is None else _outline(before, public=public),
        after=_outline(after, public=public),
    )


def _outline(row: BookingRow, *, public: bool) -> BookingOutline:
    booking = row.booking
    return BookingOutline(
        booked_by=booking.booked_by if public else UNSET,
        title=row.title if public else UNSET,
        invited=sorted(booking.invited) if public else UNSET,
        **_facts(row),
    )


def booking_model(row: BookingRow, principal: Principal, *, public: bool) -> BookingModel:
    """A booking as ``principal`` sees it."""
    booking = row.booking
    mine = booking.admits(principal.name)
    shown = public or mine or allows(principal, Permission.BOOKINGS_WRITE_ANY)
    return BookingModel(
        id=booking.id,
        booked_by=booking.booked_by if shown else None,
        title=row.title if shown else None,
        invited=sorted(booking.invited) if shown else [],
        mine=mine,
        timezone=row.timezone,
        used_at=row.used_at,
        created_at=row.created_at,
        changed_at=row.changed_at,
        **_facts(row),
    )


def _facts(row: BookingRow) -> dict[str, Any]:
    """What everybody may know of it, as `BookingFacts` has it."""
    booking = row.booking
    return {
        "version": row.version,
        "qpu": booking.qpu,
        "start_at": booking.start_at,
        "end_at": booking.end_at,
        "mode": booking.mode.value,
        "status": booking.status.value,
        "series_id": row.series_id,
        "slot_id": row.slot_id,
    }

"""Bookings: the collection ``time_slots``. A slot is one group of bookings on every enabled QPU, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from msgspec import UNSET, UnsetType

from qpi_jupyter.core import Conflict, Forbidden, NotFound, Principal, existing
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.bookings import BookingChange, BookingIn, BookingModel
from qpi_server.service import Lab
from qpi_server.web.table import JSON, Call, Reply, Route

from .base import Body, Record, api, moment, record, stamp
from .paging import Listing, RecordPage, View, every, paged, picked

SLOT_FIELDS = frozenset({"id", "start_time", "end_time", "booked_by", "created", "updated"})


class SlotIn(Body):
    """``POST collections/time_slots/records``; without ``booked_by`` it is one's own."""

    start_time: str
    end_time: str
    booked_by: str | None = None


class SlotPatch(Body):
    """``PATCH collections/time_slots/records/{id}``."""

    start_time: str | UnsetType = UNSET
    end_time: str | UnsetType = UNSET
    booked_by: str | UnsetType | None = UNSET


@api.route("POST", "collections/time_slots/records", P.BOOKINGS_WRITE, {200: JSON}, body=SlotIn)
async def qpi_create_slot(call: Call, wanted: SlotIn) -> Reply:
    """Book every enabled QPU."""
    qpus = [qpu.name for qpu in (await call.lab.qpus.list(call.person)).qpus if qpu.status != "disabled"]
    if not qpus:
        raise Conflict("There is no QPU to book.", code="no_qpu")
    request = BookingIn(
        qpus=qpus,
        start_at=moment(wanted.start_time, "start_time"),
        end_at=moment(wanted.end_time, "end_time"),
        booked_by=wanted.booked_by or None,
    )
    made = await call.lab.bookings.create(call.person, request)
    return Reply(body=slot_records(made.bookings)[0])


@api.route("PATCH", "collections/time_slots/records/{id}", P.BOOKINGS_WRITE, {200: JSON}, body=SlotPatch)
async def qpi_change_slot(call: Call, wanted: SlotPatch) -> Reply:
    """Move or shorten a slot, on all its QPUs or on none."""
    slot_id = call.path["id"]
    if wanted.booked_by not in (UNSET, None, ""):
        owner = (await the_slot(call.lab, call.person, slot_id))["booked_by"]
        if wanted.booked_by != owner:
            raise Forbidden(
                "A slot stays with who booked it: delete it and book anew.", code="forged", field="booked_by"
            )
    ends = (("start", wanted.start_time), ("end", wanted.end_time))
    times: dict[str, Any] = {f"{end}_at": moment(text, f"{end}_time") for end, text in ends if text is not UNSET}
    moved = await call.lab.bookings.change_slot(call.person, slot_id, BookingChange(**times))
    return Reply(body=slot_records(moved.bookings)[0])


def slot_records(bookings: Iterable[BookingModel]) -> list[Record]:
    """One record a slot, in the order in which the bookings come."""
    found: dict[str, Record] = {}
    for booking in bookings:
        if booking.slot_id is not None and booking.slot_id not in found:
            found[booking.slot_id] = record(
                "time_slots",
                booking.slot_id,
                {
                    "start_time": stamp(booking.start_at),
                    "end_time": stamp(booking.end_at),
                    "booked_by": booking.booked_by or "",
                    "created": stamp(booking.created_at),
                    "updated": stamp(booking.changed_at),
                },
            )
    return [*found.values()]


async def the_slot(lab: Lab, person: Principal, slot_id: str) -> Record:
    """One slot.

    Raises
    ------
    NotFound
        there is none.
    """
    missing = NotFound(f"There is no slot {slot_id!r}.", code="unknown_slot")
    return existing(next((one for one in await _records(lab, person) if one["id"] == slot_id), None), missing)


async def _records(lab: Lab, person: Principal) -> list[Record]:
    bookings: list[BookingModel] = await every("bookings", partial(lab.bookings.list, slots=True), person)
    return slot_records(bookings)


api.serve(
    Route("qpi_list_slots", "GET", "collections/time_slots/records", P.BOOKINGS_READ, {200: RecordPage},
          "A page of everybody's slots.", lambda c: paged(c, _records(c.lab, c.person), SLOT_FIELDS),
          query=Listing),
    Route("qpi_get_slot", "GET", "collections/time_slots/records/{id}", P.BOOKINGS_READ, {200: JSON},
          "One slot.", picked(lambda c: the_slot(c.lab, c.person, c.path["id"])), query=View),
    Route("qpi_delete_slot", "DELETE", "collections/time_slots/records/{id}", P.BOOKINGS_WRITE, {204: ""},
          "Delete a slot that has not begun.", lambda c: c.lab.bookings.delete_slot(c.person, c.path["id"])),
)  # fmt: skip

"""Bookings: the collection ``time_slots``. A slot is one group of bookings on every enabled QPU, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from msgspec import UNSET, UnsetType

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound
from qpi_jupyter.wire.bookings import BookingChange, BookingIn, BookingModel
from qpi_server.service import Lab
from qpi_server.web.table import Call, Reply

from .base import Body, Record, api, moment, record, stamp
from .paging import MAX_PER_PAGE, MAX_ROWS, Listing, RecordPage, page_of, pick

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


@api.route("GET", "collections/time_slots/records", P.BOOKINGS_READ, {200: RecordPage}, query=Listing)
async def qpi_list_slots(call: Call) -> Reply:
    """A page of everybody's slots."""
    return Reply(body=page_of(call.query, await _records(call.lab, call.person), SLOT_FIELDS, datetime.now(UTC)))


@api.route("GET", "collections/time_slots/records/{id}", P.BOOKINGS_READ, {200: "application/json"}, query=Listing)
async def qpi_get_slot(call: Call) -> Reply:
    """One slot."""
    return Reply(body=pick(await the_slot(call.lab, call.person, call.path["id"]), call.query.fields))


@api.route("POST", "collections/time_slots/records", P.BOOKINGS_WRITE, {200: "application/json"}, body=SlotIn)
async def qpi_create_slot(call: Call) -> Reply:
    """Book every enabled QPU."""
    wanted: SlotIn = call.body
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


@api.route("PATCH", "collections/time_slots/records/{id}", P.BOOKINGS_WRITE, {200: "application/json"}, body=SlotPatch)
async def qpi_change_slot(call: Call) -> Reply:
    """Move or shorten a slot, on all its QPUs or on none."""
    wanted: SlotPatch = call.body
    slot_id = call.path["id"]
    if wanted.booked_by not in (UNSET, None, ""):
        owner = (await the_slot(call.lab, call.person, slot_id))["booked_by"]
        if wanted.booked_by != owner:
            raise Forbidden(
                "A slot stays with who booked it: delete it and book anew.", code="forged", field="booked_by"
            )
    times: dict[str, Any] = {}
    if wanted.start_time is not UNSET:
        times["start_at"] = moment(wanted.start_time, "start_time")
    if wanted.end_time is not UNSET:
        times["end_at"] = moment(wanted.end_time, "end_time")
    moved = await call.lab.bookings.change_slot(call.person, slot_id, BookingChange(**times))
    return Reply(body=slot_records(moved.bookings)[0])


@api.route("DELETE", "collections/time_slots/records/{id}", P.BOOKINGS_WRITE, {204: ""})
async def qpi_delete_slot(call: Call) -> Reply:
    """Delete a slot that has not begun."""
    await call.lab.bookings.delete_slot(call.person, call.path["id"])
    return Reply(status=204)


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
    for slot in await _records(lab, person):
        if slot["id"] == slot_id:
            return slot
    raise NotFound(f"There is no slot {slot_id!r}.", code="unknown_slot")


async def _records(lab: Lab, person: Principal) -> list[Record]:
    bookings: list[BookingModel] = []
    after: str | None = None
    while len(bookings) < MAX_ROWS:
        page = await lab.bookings.list(person, slots=True, limit=MAX_PER_PAGE, after=after)
        bookings += page.bookings
        if page.next is None:
            break
        after = page.next
    return slot_records(bookings)

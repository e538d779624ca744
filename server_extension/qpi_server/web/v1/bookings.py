"""Bookings, the rules they keep to, and their calendar feeds."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.bookings import BookingStatus
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire import bookings as wire
from qpi_jupyter.wire.rest import EventPage
from qpi_server.web.handler import BodySink
from qpi_server.web.table import Call, Reply

from .base import Limit, Query, Text, v1

CALENDAR = "text/calendar"
MAX_ICS_BYTES = 1 << 20


class BookingsQuery(Query):
    """``GET bookings``: those that share a moment with ``[start, end)``."""

    qpu: Text | None = None
    start: datetime | None = None
    end: datetime | None = None
    mine: bool = False
    slots: bool = False
    status: wire.BookingStatus | None = None
    after: Text | None = None
    limit: Limit = 500


class NextFreeQuery(Query):
    """``GET bookings/next-free``: from ``after`` on, by default from now."""

    qpu: Text
    seconds: Annotated[float, Meta(gt=0)]
    after: datetime | None = None


class ImportQuery(Query):
    """``POST bookings/import``: where the file's events are booked."""

    qpu: Text


class SeriesQuery(Query):
    """``PATCH`` and ``DELETE bookings/{id}``: how much of its series goes with it."""

    series: Literal["this", "following", "all"] = "this"


@v1.route("POST", "bookings", P.BOOKINGS_WRITE, {201: wire.BookingList}, body=wire.BookingIn)
async def create_bookings(call: Call) -> Reply:
    """Book an interval of one QPU or of several, with its repetitions: all or nothing."""
    return Reply(body=await call.lab.bookings.create(call.person, call.body), status=201)


@v1.route("GET", "bookings", P.BOOKINGS_READ, {200: wire.BookingList}, query=BookingsQuery, refuses=(404,))
async def list_bookings(call: Call) -> Reply:
    """One page of bookings, by start."""
    q: BookingsQuery = call.query
    page = await call.lab.bookings.list(
        call.person, qpu=q.qpu, start=q.start, end=q.end, mine=q.mine, slots=q.slots,
        status=None if q.status is None else BookingStatus(q.status), limit=q.limit, after=q.after,
    )  # fmt: skip
    return Reply(body=page)


@v1.route("GET", "bookings/next-free", P.BOOKINGS_READ, {200: wire.NextFree}, query=NextFreeQuery, refuses=(404, 409))
async def get_next_free(call: Call) -> Reply:
    """The first interval of a length that one may book."""
    q: NextFreeQuery = call.query
    return Reply(body=await call.lab.bookings.next_free(call.person, q.qpu, q.seconds, q.after))


async def open_import(call: Call) -> BodySink:
    """Takes the file."""
    return BodySink(MAX_ICS_BYTES)


@v1.route("POST", "bookings/import", P.BOOKINGS_WRITE, {200: wire.Imported}, query=ImportQuery, opens=open_import,
          takes=CALENDAR)  # fmt: skip
async def import_bookings(call: Call) -> Reply:
    """Book the events of an iCalendar file; the answer names those that could not be booked, and why."""
    q: ImportQuery = call.query
    try:
        text = call.sink.body().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Rejected("An iCalendar file is UTF-8.", code="bad_calendar") from error
    return Reply(body=await call.lab.bookings.import_ics(call.person, text, q.qpu))


@v1.route("GET", "bookings/{id}", P.BOOKINGS_READ, {200: wire.BookingModel})
async def get_booking(call: Call) -> Reply:
    """One booking, whatever became of it."""
    return Reply(body=await call.lab.bookings.get(call.person, call.path["id"]))


@v1.route("PATCH", "bookings/{id}", P.BOOKINGS_WRITE, {200: wire.BookingModel}, body=wire.BookingChange,
          query=SeriesQuery)  # fmt: skip
async def change_booking(call: Call) -> Reply:
    """Move, shorten or rename a booking, with all of its slot; or more of its series by as much."""
    q: SeriesQuery = call.query
    return Reply(body=await call.lab.bookings.change(call.person, call.path["id"], call.body, series=q.series))


@v1.route("DELETE", "bookings/{id}", P.BOOKINGS_WRITE, {200: wire.BookingList}, query=SeriesQuery)
async def delete_booking(call: Call) -> Reply:
    """Delete a booking, it and what follows it in its series, or all of the series."""
    q: SeriesQuery = call.query
    return Reply(body=await call.lab.bookings.delete(call.person, call.path["id"], series=q.series))


@v1.route("POST", "bookings/{id}/release", P.BOOKINGS_WRITE, {200: wire.BookingModel})
async def release_booking(call: Call) -> Reply:
    """Give the rest of a booking back."""
    return Reply(body=await call.lab.bookings.release(call.person, call.path["id"]))


@v1.route("GET", "bookings/{id}/history", P.BOOKINGS_READ, {200: EventPage})
async def get_booking_history(call: Call) -> Reply:
    """Everything that was done to a booking."""
    return Reply(body=await call.lab.bookings.history(call.person, call.path["id"]))


@v1.route("GET", "booking-rules", P.BOOKINGS_READ, {200: wire.BookingRuleList})
async def list_booking_rules(call: Call) -> Reply:
    """The lab's booking rules, and what they come to for who asks."""
    return Reply(body=await call.lab.bookings.rules(call.person))


@v1.route("PUT", "booking-rules", P.BOOKING_RULES, {200: wire.BookingRuleModel}, body=wire.BookingRuleIn)
async def set_booking_rule(call: Call) -> Reply:
    """Set the rule for a QPU and a group."""
    return Reply(body=await call.lab.bookings.set_rule(call.person, call.body))


@v1.route("DELETE", "booking-rules/{id}", P.BOOKING_RULES, {200: wire.BookingRuleList})
async def delete_booking_rule(call: Call) -> Reply:
    """Take a rule out; the answer has those that are left."""
    await call.lab.bookings.delete_rule(call.person, call.path["id"])
    return Reply(body=await call.lab.bookings.rules(call.person))


@v1.route("GET", "feeds", P.BOOKINGS_READ, {200: wire.FeedList})
async def list_feeds(call: Call) -> Reply:
    """One's own calendar feeds."""
    return Reply(body=await call.lab.feeds.list(call.person))


@v1.route("POST", "feeds", P.BOOKINGS_WRITE, {201: wire.FeedModel}, body=wire.FeedIn)
async def create_feed(call: Call) -> Reply:
    """Make a calendar feed; only this answer shows its secret address."""
    return Reply(body=await call.lab.feeds.create(call.person, call.body, call.site.address()), status=201)


@v1.route("DELETE", "feeds/{id}", P.BOOKINGS_WRITE, {200: wire.FeedList})
async def revoke_feed(call: Call) -> Reply:
    """End a feed's address; the answer has those that are left."""
    await call.lab.feeds.revoke(call.person, call.path["id"])
    return Reply(body=await call.lab.feeds.list(call.person))


@v1.route("GET", "feeds/{secret}/calendar.ics", P.FEEDS_OPEN, {200: CALENDAR}, headers=("If-None-Match",),
          refuses=(304, 404))  # fmt: skip
async def read_feed(call: Call) -> Reply:
    """A feed's calendar, for the programs that subscribe to it."""
    body = (await call.lab.feeds.render(call.path["secret"])).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, max-age=300"}
    asked = [tag.strip().removeprefix("W/") for tag in call.headers.get("If-None-Match", "").split(",")]
    if etag in asked:
        return Reply(body=b"", status=304, headers=headers, media_type=CALENDAR)
    return Reply(body=body, headers=headers, media_type=f"{CALENDAR}; charset=utf-8")

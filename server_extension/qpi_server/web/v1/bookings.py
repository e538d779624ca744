"""Bookings, the rules they keep to, and their calendar feeds."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from qpi_jupyter.core import BookingStatus, Rejected
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire import bookings
from qpi_jupyter.wire import bookings as wire
from qpi_jupyter.wire.events import EventPage
from qpi_server.web.bodies import BodySink
from qpi_server.web.table import Call, Reply, Route

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
    status: BookingStatus | None = None
    after: Text | None = None
    limit: Limit = 500


class NextFreeQuery(Query):
    """``GET bookings/next-free``: from ``after`` on, by default from now."""

    qpu: Text
    seconds: Annotated[float, Meta(gt=0, le=366 * 86_400)]
    after: datetime | None = None


class ImportQuery(Query):
    """``POST bookings/import``: where the file's events are booked."""

    qpu: Text


class SeriesQuery(Query):
    """``PATCH`` and ``DELETE bookings/{id}``: how much of its series goes with it."""

    series: Literal["this", "following", "all"] = "this"


async def open_import(call: Call) -> BodySink:
    """Takes the file."""
    return BodySink(MAX_ICS_BYTES)


@v1.route("POST", "bookings/import", P.BOOKINGS_WRITE, {200: wire.Imported}, query=ImportQuery, opens=open_import,
          takes=CALENDAR, waits=True)  # fmt: skip
async def import_bookings(call: Call, query: ImportQuery) -> wire.Imported:
    """Book the events of an iCalendar file; the answer names those that could not be booked, and why."""
    try:
        text = call.sink.body().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Rejected("An iCalendar file is UTF-8.", code="bad_calendar") from error
    return await call.lab.bookings.import_ics(call.person, text, query.qpu)


@v1.route("DELETE", "booking-rules/{id}", P.BOOKING_RULES, {200: wire.BookingRuleList})
async def delete_booking_rule(call: Call) -> wire.BookingRuleList:
    """Take a rule out; the answer has those that are left."""
    await call.lab.booking_rules.delete(call.person, call.path["id"])
    return await call.lab.booking_rules.list(call.person)


@v1.route("DELETE", "feeds/{id}", P.BOOKINGS_WRITE, {200: wire.FeedList})
async def revoke_feed(call: Call) -> wire.FeedList:
    """End a feed's address; the answer has those that are left."""
    await call.lab.feeds.revoke(call.person, call.path["id"])
    return await call.lab.feeds.list(call.person)


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


v1.serve(
    Route("create_bookings", "POST", "bookings", P.BOOKINGS_WRITE, {201: wire.BookingList},
          "Book an interval of one QPU or of several, with its repetitions: all or nothing.",
          lambda c: c.lab.bookings.create(c.person, c.body), body=wire.BookingIn),
    Route("list_bookings", "GET", "bookings", P.BOOKINGS_READ, {200: wire.BookingList},
          "One page of bookings, by start.",
          lambda c: c.lab.bookings.list(c.person, **c.given),
          query=BookingsQuery, refuses=(404,)),
    Route("get_next_free", "GET", "bookings/next-free", P.BOOKINGS_READ, {200: wire.NextFree},
          "The first free interval of a given length that can be booked.",
          lambda c: c.lab.bookings.next_free(c.person, **c.given),
          query=NextFreeQuery, refuses=(404, 409)),
    Route("get_booking", "GET", "bookings/{id}", P.BOOKINGS_READ, {200: wire.BookingModel},
          "One booking, whatever became of it.", lambda c: c.lab.bookings.get(c.person, c.path["id"])),
    Route("change_booking", "PATCH", "bookings/{id}", P.BOOKINGS_WRITE, {200: wire.BookingModel},
          "Move, shorten or rename a booking, with all of its slot; or more of its series by as much.",
          lambda c: c.lab.bookings.change(c.person, c.path["id"], c.body, **c.given),
          body=wire.BookingChange, query=SeriesQuery),
    Route("delete_booking", "DELETE", "bookings/{id}", P.BOOKINGS_WRITE, {200: wire.BookingList},
          "Delete a booking, it and what follows it in its series, or all of the series.",
          lambda c: c.lab.bookings.delete(c.person, c.path["id"], **c.given), query=SeriesQuery),
    Route("release_booking", "POST", "bookings/{id}/release", P.BOOKINGS_WRITE, {200: wire.BookingModel},
          "Give the rest of a booking back.", lambda c: c.lab.bookings.release(c.person, c.path["id"])),
    Route("get_booking_history", "GET", "bookings/{id}/history", P.BOOKINGS_READ, {200: EventPage},
          "Everything that was done to a booking.", lambda c: c.lab.bookings.history(c.person, c.path["id"])),
    Route("list_booking_rules", "GET", "booking-rules", P.BOOKINGS_READ, {200: wire.BookingRuleList},
          "The lab's booking rules, and what they come to for who asks.",
          lambda c: c.lab.booking_rules.list(c.person)),
    Route("set_booking_rule", "PUT", "booking-rules", P.BOOKING_RULES, {200: wire.BookingRuleModel},
          "Set the rule for a QPU and a group.", lambda c: c.lab.booking_rules.set(c.person, c.body),
          body=wire.BookingRuleIn),
    Route("list_feeds", "GET", "feeds", P.BOOKINGS_READ, {200: wire.FeedList},
          "One's own calendar feeds.", lambda c: c.lab.feeds.list(c.person)),
    Route("create_feed", "POST", "feeds", P.BOOKINGS_WRITE, {201: wire.FeedModel},
          "Make a calendar feed; only this answer shows its secret address.",
          lambda c: c.lab.feeds.create(c.person, c.body, c.site.public_address()), body=wire.FeedIn),
)  # fmt: skip


v1.serve(
    Route("open_session", "POST", "sessions", P.SESSIONS_OPEN, {201: bookings.SessionModel},
          "Hold a QPU: within one's booking, or for a budget of QPU time.",
          lambda c: c.lab.qpu_sessions.open(c.person, c.body), body=bookings.SessionIn),
    Route("list_sessions", "GET", "sessions", P.SESSIONS_OPEN, {200: bookings.SessionList},
          "The open sessions of the lab, and one's own latest ones.", lambda c: c.lab.qpu_sessions.list(c.person)),
    Route("renew_session", "POST", "sessions/{id}/renew", P.SESSIONS_OPEN, {200: bookings.SessionModel},
          "Say that its holder is still there.", lambda c: c.lab.qpu_sessions.renew(c.person, c.path["id"])),
    Route("close_session", "DELETE", "sessions/{id}", P.SESSIONS_OPEN, {200: bookings.SessionModel},
          "End it; again is fine.", lambda c: c.lab.qpu_sessions.close(c.person, c.path["id"])),
)  # fmt: skip

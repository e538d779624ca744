"""The lab itself: its health, figures, events, owner and certificate; trying other policies on its past."""

from __future__ import annotations

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from qpi_jupyter._version import __version__
from qpi_jupyter.core import NotFound, QpiError, Rejected, existing
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire import WIRE_VERSION, rest, sse
from qpi_jupyter.wire.bench import ConfigInForce
from qpi_jupyter.wire.events import EventPage
from qpi_jupyter.wire.replays import ReplayIn, ReplayState
from qpi_server.web.errors import status_of
from qpi_server.web.table import Call, Reply, Route, Stream

from .base import Cursor, Limit, Query, Wait, public, v1

LAST_EVENT_ID = "Last-Event-ID"
MAX_DIGITS = 18


@v1.route("GET", "config", P.AUDIT_READ, {200: ConfigInForce})
async def get_config(call: Call) -> ConfigInForce:
    """Every setting as it is in force, and where it came from; secrets are masked."""
    return call.site.settings_in_force()


@v1.route("GET", "ca.pem", P.HEALTH, {200: "application/x-pem-file"}, refuses=(404,))
async def get_ca(call: Call) -> bytes:
    """The certificate of the lab's own authority; compare its fingerprint before you trust it."""
    return existing(call.site.ca_pem(), NotFound("This server has no certificate authority of its own."))


def _closed(error: QpiError) -> Reply:
    """The health of a server whose lab is not open."""
    health = rest.Health(
        status="down",
        services=rest.Services(database="down", bus="down"),
        version=__version__,
        wire=WIRE_VERSION,
        error=msgspec.convert(error.to_dict(), rest.JobError),
    )
    return Reply(body=health, status=status_of(error))


@public.route("GET", "health", P.HEALTH, {200: rest.Health, 503: rest.Health}, closed=_closed)
async def get_health(call: Call) -> Reply:
    """Whether the lab works; a signed-in person also hears who owns it and which drivers are there."""
    owner = call.site.owner() if call.principal is not None else None
    health = await call.lab.health(call.principal, owner=owner)
    return Reply(body=health, status=200 if health.status == "up" else 503)


@public.route("GET", "metrics", P.METRICS_READ, {200: "text/plain"})
async def get_metrics(call: Call) -> Reply:
    """Figures for Prometheus."""
    return Reply(body=generate_latest(call.lab.metrics), media_type=CONTENT_TYPE_LATEST)


@public.route("GET", "owner", P.DRIVERS_MANAGE, {200: rest.Health}, waits=True)
async def watch_owner(call: Call) -> Reply:
    """Answers when this server stops owning the queue; other servers of its user hold it open to hear of that."""
    await call.site.released()
    return await get_health(call)


class EventsQuery(Query):
    """``GET events``: what came after a cursor; with ``wait_s``, wait for it. ``newest`` gives only the cursor.

    As a stream: what came after the cursor, or with ``newest`` comes from now on, and then whatever comes.
    """

    after: Cursor = 0
    newest: bool = False
    limit: Limit = 500
    wait_s: Wait = 0.0


@v1.route(
    "GET", "events", P.EVENTS_READ, {200: (EventPage, sse.MEDIA_TYPE)}, query=EventsQuery, headers=(LAST_EVENT_ID,),
    waits=True,
)  # fmt: skip
async def get_events(call: Call, q: EventsQuery) -> EventPage | Reply:
    """The durable event stream after a cursor, as far as one may see it; pushed to who accepts text/event-stream."""
    if sse.MEDIA_TYPE in call.headers.get("Accept", ""):
        after = _begin(call.headers.get(LAST_EVENT_ID, ""), q)
        stream = Stream(write=lambda out: call.lab.events.stream(call.person, out, after=after))
        return Reply(body=stream, media_type=sse.MEDIA_TYPE)
    if q.newest:
        return await call.lab.events.newest()
    return await call.lab.events.page(call.person, after=q.after, limit=q.limit, wait_s=q.wait_s)


def _begin(last: str, q: EventsQuery) -> int | None:
    """Where a stream begins: after what its reader had last, or as the query says.

    Raises
    ------
    Rejected
        what they had last is no event.
    """
    if not last:
        return None if q.newest else q.after
    if not (last.isascii() and last.isdigit() and len(last) <= MAX_DIGITS):
        raise Rejected(f"{LAST_EVENT_ID} must be the id of an event.", code="bad_request", field=LAST_EVENT_ID)
    return int(last)


v1.serve(
    Route("get_replay", "GET", "replay", P.POLICIES_TRY, {200: ReplayState},
          "The policy in force, and the replay that runs or the last one, with its figures.",
          lambda c: c.lab.replays.state(c.person)),
    Route("start_replay", "POST", "replay", P.POLICIES_TRY, {202: ReplayState},
          "Replay the past, or an invented month, under other policies; it changes nothing. One at a time.",
          lambda c: c.lab.replays.start(c.person, c.body), body=ReplayIn),
    Route("cancel_replay", "DELETE", "replay", P.POLICIES_TRY, {200: ReplayState},
          "End the replay that runs.", lambda c: c.lab.replays.cancel(c.person)),
)  # fmt: skip

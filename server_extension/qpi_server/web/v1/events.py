"""What happens: the durable stream."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import rest
from qpi_server.web.table import Call, Reply

from .base import Cursor, Limit, Query, Wait, v1


class EventsQuery(Query):
    """``GET events``: what came after a cursor; with ``wait_s``, wait for it. ``newest`` gives only the cursor."""

    after: Cursor = 0
    newest: bool = False
    limit: Limit = 500
    wait_s: Wait = 0.0


@v1.route("GET", "events", P.EVENTS_READ, {200: rest.EventPage}, query=EventsQuery, waits=True)
async def get_events(call: Call) -> Reply:
    """The durable event stream after a cursor, as far as one may see it."""
    q: EventsQuery = call.query
    if q.newest:
        return Reply(body=await call.lab.events.newest())
    return Reply(body=await call.lab.events.page(call.person, after=q.after, limit=q.limit, wait_s=q.wait_s))

"""PocketBase's realtime: server-sent events about the records that a client has subscribed to.

``GET realtime`` opens a stream, whose first event ``PB_CONNECT`` names the client; ``POST realtime`` says who that is
and what they want to hear: ``collection/*`` or ``collection/id``. A browser's ``EventSource`` sends no credential, so
that the stream opens for anybody, is silent until somebody signs in for it, and ends soon if nobody does.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Meta

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Forbidden, NotFound, QpiError, Unavailable
from qpi_jupyter.wire.events import EventName
from qpi_server.web.identity import require
from qpi_server.web.table import Call, Reply, Stream

from .base import Body, Record, api
from .news import News, collections_of, load

if TYPE_CHECKING:
    from qpi_server.service import Lab

log = logging.getLogger(__name__)
PING_S = 30.0
"""How long a stream may be silent; one that nobody has signed in for ends then."""
LIFE_S = 900.0
"""How long a stream lasts at most: the client comes again by itself, with its credential."""
MAX_CLIENTS = 2_000
MAX_BEHIND = 1_000
"""How many messages may wait for a client; one that is slower is hung up on."""
SSE = "text/event-stream"
_END: bytes = b""


class Subscribe(Body, rename="camel"):
    """``POST realtime``: all that the client wants to hear from now on."""

    client_id: str
    subscriptions: Annotated[list[Annotated[str, Meta(max_length=2500)]], Meta(max_length=1000)] = msgspec.field(
        default_factory=list
    )


@dataclass(slots=True, eq=False)
class Client:
    """One open stream."""

    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    topics: dict[str, str] = field(default_factory=dict)
    """What was subscribed to, by its name without options."""
    principal: Principal | None = None
    following: asyncio.Task[None] | None = None
    behind: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(MAX_BEHIND))

    def wants(self, collection: str) -> bool:
        """Whether anything of the collection is subscribed to."""
        return any(topic.partition("/")[0] == collection for topic in self.topics)

    def tell(self, news: News, record: Record) -> None:
        """Queue the record under every subscription that it is meant for."""
        for topic in (f"{news.collection}/*", f"{news.collection}/{news.id}"):
            if topic in self.topics:
                self.send(self.topics[topic], {"action": news.action, "record": record})

    def send(self, event: str, data: dict[str, Any]) -> None:
        """Queue one message; who is too slow for them is hung up on."""
        self._put(message(self.id, event, data))

    def end(self) -> None:
        """Let the stream end after what is queued."""
        self._put(_END)

    def _put(self, chunk: bytes) -> None:
        try:
            self.behind.put_nowait(chunk)
        except asyncio.QueueFull:
            while not self.behind.empty():
                self.behind.get_nowait()
            self.behind.put_nowait(_END)


_CLIENTS: WeakKeyDictionary[Any, dict[str, Client]] = WeakKeyDictionary()
"""The open streams of each lab in this process; Any: tests have labs of their own."""


def clients_of(lab: Lab) -> dict[str, Client]:
    """The open streams, by the client's id."""
    return _CLIENTS.setdefault(lab, {})


@api.route("GET", "realtime", P.HEALTH, {200: SSE}, waits=True)
async def qpi_realtime(call: Call) -> Reply:
    """A stream of server-sent events; POST says what it is about."""
    if len(clients_of(call.lab)) >= MAX_CLIENTS:
        raise Unavailable("Too many streams are open: try again later.", code="too_many_streams")
    return Reply(body=Stream(chunks=_stream(call.lab)), media_type=SSE)


@api.route("POST", "realtime", P.SIGN_IN, {204: SSE}, body=Subscribe, refuses=(401, 403))
async def qpi_subscribe(call: Call) -> Reply:
    """Say what a stream is about, in the place of what it was about before.

    Without sign-in a stream hears nothing but the end of a sign-in with a provider.
    """
    if call.principal is not None:
        require(call.principal, P.EVENTS_READ)
    wanted: Subscribe = call.body
    client = clients_of(call.lab).get(wanted.client_id)
    if client is None:
        raise NotFound("There is no such stream: open one with GET.", code="unknown_client", field="clientId")
    if client.principal is not None and client.principal != call.principal:
        raise Forbidden("Somebody else signed in for this stream: open another one.", code="other_person")
    client.topics = {topic.partition("?")[0]: topic for topic in wanted.subscriptions}
    if client.principal is None and call.principal is not None:
        client.principal = call.principal
        cursor = (await call.lab.events.newest()).cursor
        follow = _follow(call.lab, client, call.person, cursor)
        client.following = asyncio.get_running_loop().create_task(follow, name=f"follow for {client.id}")
    return Reply(status=204)


def message(client_id: str, event: str, data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return b"".join((f"id:{client_id}\nevent:{event}\ndata:".encode(), msgspec.json.encode(data), b"\n\n"))


async def _stream(lab: Lab) -> AsyncIterator[bytes]:
    clients, client = clients_of(lab), Client()
    clients[client.id] = client
    end_at = asyncio.get_running_loop().time() + LIFE_S
    try:
        yield message(client.id, "PB_CONNECT", {"clientId": client.id})
        while asyncio.get_running_loop().time() < end_at:
            try:
                async with asyncio.timeout(PING_S):
                    chunk = await client.behind.get()
            except TimeoutError:
                if client.principal is None and "@oauth2" not in client.topics:
                    return
                chunk = b":\n\n"
            if chunk == _END:
                return
            yield chunk
    finally:
        del clients[client.id]
        if client.following is not None:
            client.following.cancel()
            await asyncio.gather(client.following, return_exceptions=True)


async def _follow(lab: Lab, client: Client, person: Principal, cursor: int) -> None:
    """Queue what happens, as far as the person may see it, until what they may changes; then the client comes again."""
    last: News | None = None
    try:
        async for event in lab.events.subscribe(person, after=cursor):
            for collection in collections_of(event.kind):
                if client.wants(collection):
                    for news, record in await load(lab, person, collection, event):
                        if news != last or news.action == "update":  # a slot is made on each of its QPUs
                            client.tell(news, record)
                        last = news
            if event.kind == EventName.PERSON_CHANGED and event.data["name"] == person.name:
                return
    except QpiError as error:
        log.info("a stream of %s ends: %s", person.name, error)
    except Exception:
        log.exception("a stream of %s failed", person.name)
    finally:
        client.end()

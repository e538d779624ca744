"""PocketBase's realtime: server-sent events about the records that a client has subscribed to.

``GET realtime`` opens a stream, whose first event ``PB_CONNECT`` names the client; ``POST realtime`` says who that is
and what they want to hear: ``collection/*`` or ``collection/id``. A browser's ``EventSource`` sends no credential, so
that the stream opens for anybody, is silent until somebody signs in for it, and ends soon if nobody does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

import msgspec
from msgspec import Meta

from qpi_jupyter.core import GROUP, Forbidden, NotFound, Principal, QpiError, Rejected, TooLarge, existing, may_read_job
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire import events as e
from qpi_jupyter.wire.events import PersonChanged
from qpi_jupyter.wire.sse import MEDIA_TYPE as SSE
from qpi_jupyter.wire.sse import PING
from qpi_jupyter.wire.tasks import ended
from qpi_server.service import Lab
from qpi_server.service.base import Joined
from qpi_server.service.events import Out
from qpi_server.web.identity import require
from qpi_server.web.table import Call, Reply, Stream

from .base import Body, Record, api
from .jobs import job_record
from .notices import the_notice
from .qpus import qpu_record
from .slots import slot_records
from .streams import END, Client, add_client, clients_of, message, sign_in
from .time_requests import request_record
from .users import the_user

log = logging.getLogger(__name__)
PING_S = 30.0
"""How long a stream may be silent; one that hears nothing, or that nobody has signed in for, ends then."""
LIFE_S = 900.0
"""How long a stream lasts at most: the client comes again by itself, with its credential."""
MAX_TOPICS_CHARS, MAX_NAMELESS_CHARS = 256 << 10, 4 << 10
"""How long the subscriptions of a stream are together."""
REDIRECT_TOPIC = "@oauth2"
"""What a stream waits for that hears the end of a sign-in with a provider."""


class Subscribe(Body, rename="camel"):
    """``POST realtime``: all that the client wants to hear from now on."""

    client_id: str
    subscriptions: Annotated[list[Annotated[str, Meta(max_length=2500)]], Meta(max_length=1000)] = msgspec.field(
        default_factory=list
    )


@api.route("GET", "realtime", P.HEALTH, {200: SSE}, waits=True)
async def qpi_realtime(call: Call) -> Reply:
    """A stream of server-sent events; POST says what it is about."""
    clients = clients_of(call.lab)
    client = add_client(clients, call.address)

    async def write(out: Out) -> None:
        async with aclosing(stream_of(clients, client)) as chunks:
            async for chunk in chunks:
                await out.send(chunk)

    return Reply(body=Stream(write=write), media_type=SSE)


@api.route("POST", "realtime", P.SIGN_IN, {204: SSE}, body=Subscribe, refuses=(401, 403))
async def qpi_subscribe(call: Call, wanted: Subscribe) -> Reply:
    """Say what a stream is about, in the place of what it was about before.

    Without sign-in a stream hears nothing but the end of a sign-in with a provider.
    """
    if call.principal is not None:
        require(call.principal, P.EVENTS_READ)
    clients = clients_of(call.lab)
    client = existing(
        clients.get(wanted.client_id),
        NotFound("There is no such stream: open one with GET.", code="unknown_client", field="clientId"),
    )
    if client.principal is not None and client.principal != call.principal:
        raise Forbidden("Somebody else signed in for this stream: open another one.", code="other_person")
    require_few_topics(wanted.subscriptions, named=call.principal is not None)
    topics = {plain_topic(topic): topic for topic in wanted.subscriptions}
    if client.principal is None and call.principal is not None:
        sign_in(clients, client, call.principal)
        cursor = (await call.lab.events.newest()).cursor
        follow = _follow(call.lab, client, call.person, cursor)
        client.following = asyncio.get_running_loop().create_task(follow, name=f"follow for {client.id}")
    client.topics = topics
    return Reply(status=204)


def require_few_topics(topics: list[str], *, named: bool) -> None:
    """Refuse more than a stream has to remember; one that nobody signs in for only hears of its own sign-in."""
    if sum(map(len, topics)) > (MAX_TOPICS_CHARS if named else MAX_NAMELESS_CHARS):
        raise TooLarge(
            "These are too many subscriptions for one stream.", code="too_many_topics", field="subscriptions"
        )


def plain_topic(topic: str) -> str:
    """What a topic is about, without its options, of which the lab has none.

    Raises
    ------
    Rejected
        it asks for a part of the records.
    """
    plain, _, rest = topic.partition("?")
    try:
        options: Any = msgspec.json.decode(parse_qs(rest).get("options", ["{}"])[0])
    except msgspec.DecodeError as error:
        raise Rejected(f"The options of {plain!r} are not JSON.", code="bad_options", field="subscriptions") from error
    if isinstance(options, dict) and (query := options.get("query")):
        raise Rejected(
            f"A subscription hears of whole records: leave {', '.join(map(str, query))} out of {plain!r}.",
            code="bad_options", field="subscriptions",
        )  # fmt: skip
    return plain


async def stream_of(clients: dict[str, Client], client: Client) -> AsyncGenerator[bytes]:
    """What a client is sent, until its stream ends."""
    end_at = asyncio.get_running_loop().time() + LIFE_S
    try:
        yield message(client.id, "PB_CONNECT", {"clientId": client.id})
        while asyncio.get_running_loop().time() < end_at:
            try:
                async with asyncio.timeout(PING_S):
                    chunk = await client.behind.get()
            except TimeoutError:
                if not client.topics or (client.principal is None and REDIRECT_TOPIC not in client.topics):
                    return
                chunk = PING
            if chunk == END:
                return
            yield chunk
    finally:
        clients.pop(client.id, None)
        await ended(client.following)


async def _follow(lab: Lab, client: Client, person: Principal, cursor: int) -> None:
    """Queue what happens, as far as the person may see it, until what they may changes; then the client comes again."""
    last: News | None = None
    try:
        async with asyncio.timeout(person.recheck_s):
            async for event in lab.events.subscribe(person, after=cursor):
                if (collection := collection_of(event)) is not None and client.wants(collection):
                    for news, record in await load(lab, person, event):
                        if news != last or news.action == "update":  # a slot is made on each of its QPUs
                            client.tell(news.collection, news.id, news.action, record)
                        last = news
                if isinstance(event, PersonChanged) and event.data.name == person.name:
                    return
    except TimeoutError:
        log.debug("a stream of %s ends, so that its credential is looked at again", person.name)
    except QpiError as error:
        log.info("a stream of %s ends: %s", person.name, error)
    except Exception:
        log.exception("a stream of %s failed", person.name)
    finally:
        client.end()


Changed = Sequence[tuple[str, str, Record]]
"""Id, action and record of each."""
_COLLECTIONS: Mapping[type[e.LabEvent], str] = {
    e.JobSubmitted: "quantum_jobs",
    e.JobChanged: "quantum_jobs",
    e.JobDeleted: "quantum_jobs",
    e.QpuChanged: "qpus",
    e.BookingChanged: "time_slots",
    e.TimeRequestChanged: "qpu_time_requests",
    e.NoticeChanged: "notifications",
    e.PersonChanged: "users",
    e.BalanceChanged: "users",
}


@dataclass(frozen=True, slots=True)
class News:
    """One record's change: create, update or delete."""

    collection: str
    id: str
    action: str


_OF_JOBS = (e.JobSubmitted, e.JobChanged)
_ALIKE = (*_OF_JOBS, e.JobDeleted, e.QpuChanged)
"""Their records are the same for whoever may see them."""
KEPT = 1_000
_LOADED: WeakKeyDictionary[Any, Joined[Sequence[tuple[News, Record]]]] = WeakKeyDictionary()
"""What was loaded for each lab in this process, by event and audience; Any: tests have labs of their own."""


def collection_of(event: e.LabEvent) -> str | None:
    """The collection that an event is about."""
    return _COLLECTIONS.get(type(event))


async def load(lab: Lab, person: Principal, event: e.LabEvent) -> Sequence[tuple[News, Record]]:
    """The records that the event changed, as ``person``, or somebody who sees the same, may see them now."""
    if isinstance(event, _OF_JOBS) and not may_read_job(person, owner=event.data.owner, shared_with=None):
        return ()
    audience = "" if isinstance(event, _ALIKE) else repr(person)
    loaded = _LOADED.setdefault(lab, Joined(kept=KEPT))
    return await loaded.get(f"{event.seq} {audience}", lambda: _load(lab, person, event))


async def _load(lab: Lab, person: Principal, event: e.LabEvent) -> Sequence[tuple[News, Record]]:
    collection = _COLLECTIONS[type(event)]
    try:
        found = await _changed(lab, person, event)
    except (NotFound, Forbidden):
        return ()
    return [(News(collection, record_id, action), record) for record_id, action, record in found]


async def _changed(lab: Lab, person: Principal, event: e.LabEvent) -> Changed:
    match event:
        case e.JobDeleted():
            return [_deleted(event.job_id)]
        case e.JobSubmitted() | e.JobChanged():
            action = "create" if isinstance(event, e.JobSubmitted) else "update"
            return [(event.job_id, action, job_record(await lab.jobs.get(person, event.job_id)))]
        case e.QpuChanged():
            return [(event.qpu, "update", qpu_record(await lab.qpus.get(person, event.qpu)))]
        case e.BookingChanged():
            return await _slots(lab, person, event.data)
        case e.TimeRequestChanged():
            found = request_record(await lab.time_requests.get(person, event.data.id))
            return [(found["id"], "create" if found["status"] == "pending" else "update", found)]
        case e.NoticeChanged():
            return [await _notice(lab, person, event.data)]
        case e.PersonChanged():
            return await _user(lab, person, event.data.name)
        case e.BalanceChanged():
            return await _user(lab, person, event.data.account)
    return ()


def _deleted(record_id: str) -> tuple[str, str, Record]:
    return record_id, "delete", {"id": record_id}


async def _slots(lab: Lab, person: Principal, booking: e.BookingData) -> Changed:
    slots = slot_records([await lab.bookings.get(person, booking.booking_id)])
    if booking.action == "deleted":
        return [_deleted(slot["id"]) for slot in slots]
    return [(slot["id"], "create" if booking.action == "created" else "update", slot) for slot in slots]


async def _notice(lab: Lab, person: Principal, notice: e.NoticeData) -> tuple[str, str, Record]:
    try:
        found = await the_notice(lab, person, notice.id)
    except NotFound:  # taken back, dismissed, or not for this person any more
        return _deleted(notice.id)
    return notice.id, "create" if notice.action == "created" else "update", found


async def _user(lab: Lab, person: Principal, name: str) -> Changed:
    return [] if name.startswith(GROUP) else [(name, "update", await the_user(lab, person, name))]

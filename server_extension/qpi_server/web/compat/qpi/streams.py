"""The open streams of a lab, and who may open one more: who is signed in gets theirs, however many others open."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from qpi_jupyter.core import Principal, TooMany, Unavailable
from qpi_jupyter.wire import sse
from qpi_server.service import Lab
from qpi_server.service.base import network

from .base import Record

MAX_STREAMS = 2_000
MAX_PER_PERSON = 100
MAX_NAMELESS = 500
"""Streams that nobody has signed in for yet, and those that wait for a sign-in with a provider."""
MAX_NAMELESS_PER_ADDRESS = 50
MAX_BEHIND = 1_000
"""How many messages may wait for a client; one that is slower is hung up on."""
END: bytes = b""


@dataclass(slots=True, eq=False, kw_only=True)
class Client:
    """One open stream."""

    address: str = ""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    topics: dict[str, str] = field(default_factory=dict)
    """What was subscribed to, by its name without options."""
    principal: Principal | None = None
    following: asyncio.Task[None] | None = None
    behind: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(MAX_BEHIND))

    def wants(self, collection: str) -> bool:
        """Whether anything of the collection is subscribed to."""
        return any(topic.partition("/")[0] == collection for topic in self.topics)

    def tell(self, collection: str, record_id: str, action: str, record: Record) -> None:
        """Queue the record under every subscription that it is meant for."""
        for topic in (f"{collection}/*", f"{collection}/{record_id}"):
            if topic in self.topics:
                self.send(self.topics[topic], {"action": action, "record": record})

    def send(self, event: str, data: dict[str, Any]) -> None:
        """Queue one message; who is too slow for them is hung up on."""
        self._put(message(self.id, event, data))

    def end(self) -> None:
        """Let the stream end after what is queued."""
        self._put(END)

    def _put(self, chunk: bytes) -> None:
        try:
            self.behind.put_nowait(chunk)
        except asyncio.QueueFull:
            while not self.behind.empty():
                self.behind.get_nowait()
            self.behind.put_nowait(END)


_CLIENTS: WeakKeyDictionary[Any, dict[str, Client]] = WeakKeyDictionary()
"""The open streams of each lab in this process; Any: tests have labs of their own."""


def clients_of(lab: Lab) -> dict[str, Client]:
    """The open streams, by the client's id, oldest first."""
    return _CLIENTS.setdefault(lab, {})


def add_client(clients: dict[str, Client], address: str) -> Client:
    """A new stream that nobody has signed in for yet.

    Where its address has as many as it may have, it takes the place of the oldest of those, so that others of the same
    address can still sign in. Where there are too many in all, the address with the most loses its oldest.

    Raises
    ------
    Unavailable
        people who are signed in have all the streams there are.
    """
    new = Client(address=network(address))
    nameless = Counter(client.address for client in clients.values() if client.principal is None)
    if nameless[new.address] >= MAX_NAMELESS_PER_ADDRESS:
        _drop_one(clients, new.address)
    elif nameless.total() >= MAX_NAMELESS or len(clients) >= MAX_STREAMS:
        if not nameless:
            raise Unavailable("Too many streams are open: try again later.", code="too_many_streams")
        _drop_one(clients, nameless.most_common(1)[0][0])
    clients[new.id] = new
    return new


def sign_in(clients: dict[str, Client], client: Client, principal: Principal) -> None:
    """Sign in for a stream.

    Raises
    ------
    TooMany
        the person has as many as one may have.
    """
    own = sum(other.principal is not None and other.principal.name == principal.name for other in clients.values())
    if own >= MAX_PER_PERSON:
        raise TooMany(f"You have {MAX_PER_PERSON} streams open: close some.", code="too_many_streams")
    client.principal = principal


def message(client_id: str, event: str, data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return sse.message(msgspec.json.encode(data), of=client_id, event=event)


def _drop_one(clients: dict[str, Client], address: str) -> None:
    oldest = next(one for one in clients.values() if one.principal is None and one.address == address)
    del clients[oldest.id]
    oldest.end()

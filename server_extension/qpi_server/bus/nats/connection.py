"""A connection to the broker, and what is the same at both ends of the bus."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import nats.errors
from msgspec import Raw, Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from qpi_jupyter.core import QpiError, Rejected, Unavailable
from qpi_jupyter.wire.addresses import is_loopback
from qpi_jupyter.wire.bus import checked, encode
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES
from qpi_jupyter.wire.peer import parse
from qpi_jupyter.wire.tasks import ended

from .subjects import ERROR

log = logging.getLogger(__name__)
PORT = 4222
CONNECT_S = 5
PING_S, PINGS = 10, 2
"""Seconds between pings, and how many may be without an answer: a broker that has silently gone is noticed."""
WAITING_BYTES = 16 * MAX_FRAME_BYTES
"""So much of one sender may wait."""
ONCE = {"allow_reconnect": False, "max_reconnect_attempts": 1, "reconnect_time_wait": 0}
"""Options of a connection that ends when it is lost; without all three nats-py looks for its broker for two minutes."""
_ENVELOPE_BYTES = 4096
_LOST = "the connection is lost"


class Place(Struct, frozen=True):
    """Where a broker is; ``keys``: the file of the lab's keys, which only a lab needs."""

    host: str
    port: int
    secure: bool
    keys: str | None

    @classmethod
    def parse(cls, address: str) -> Place:
        """What an address says.

        Raises
        ------
        Rejected
            it is none, or would show tokens to everybody on the way.
        """
        try:
            parts = urlsplit(address)
            host, port, query = parts.hostname, parts.port or PORT, parse_qs(parts.query)
        except ValueError:
            host, port, query = None, 0, {}
        if not host or parts.username is not None or parts.path.strip("/") or set(query) - {"keys"}:
            raise Rejected(
                "The address of a NATS broker is like tls://nats.example.org:4222, for the lab with "
                "?keys=/path/of/keys.json.",
                code="bad_bus_address", field="bus",
            )  # fmt: skip
        if parts.scheme != "tls" and not is_loopback(host):
            raise Rejected(
                f"The drivers' tokens would cross the network in clear text: reach {host} by tls://{host}:{port}.",
                code="bad_bus_address", field="bus",
            )  # fmt: skip
        return cls(host=host, port=port, secure=parts.scheme == "tls", keys=query.get("keys", [None])[0])

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'tls' if self.secure else 'nats'}://{host}:{self.port}"


async def connect(place: Place, context: ssl.SSLContext | None, **options: Any) -> Client:
    """A connection to the broker (``options``: those of nats-py).

    Raises
    ------
    Unavailable
        there is no broker, or it lets nobody in now.
    Rejected
        it is not one that a lab can use.
    """
    if place.secure:  # the handshake comes first: whoever is in between cannot say that there is to be none
        options |= {"tls": context or ssl.create_default_context(), "tls_handshake_first": True}
    failed: list[Exception] = []

    async def note(error: Exception) -> None:
        if not failed:
            failed.append(error)
        log.debug("the broker at %s: %s", place.url, error)

    client = Client()
    try:
        await client.connect(
            [place.url], error_cb=note, connect_timeout=CONNECT_S, ping_interval=PING_S, max_outstanding_pings=PINGS,
            **options,
        )  # fmt: skip
    except (OSError, nats.errors.Error, TimeoutError, asyncio.IncompleteReadError) as error:
        await client.close()
        raise _unreachable(place, failed[0] if failed else error) from error
    if not client.is_connected:  # the broker hung up without a word, which nats-py takes for success
        await client.close()
        raise _unreachable(place, nats.errors.AuthorizationError())
    if client.max_payload < MAX_FRAME_BYTES + _ENVELOPE_BYTES:
        await client.close()
        raise Rejected(
            f"The broker at {place.url} takes messages of {client.max_payload:,} bytes; the lab's have up to "
            f"{MAX_FRAME_BYTES:,}. Set max_payload to 1MB in its configuration.",
            code="small_payload",
        )
    return client


def _unreachable(place: Place, error: Exception) -> QpiError:
    if isinstance(error, nats.errors.AuthorizationError) or "authorization violation" in str(error).lower():
        return Unavailable(f"The broker at {place.url} lets nobody in.", code="not_let_in")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unavailable(
            f"The certificate of the broker at {place.url} is not trusted by this end.", code="untrusted"
        )
    words = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "no answer"
    return Unavailable(f"There is no broker at {place.url}: {words}", code="no_broker")


class Refusal(Struct):
    """The body of an answer that is an error."""

    error: dict[str, Any]


class End:
    """One end of the bus: what asks and tells over the connection, for as long as there is one."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._heard: list[Subscription] = []
        self._asking: set[asyncio.Task[Msg]] = set()

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected)

    async def hear(self, heard: Mapping[str, Callable[[Msg], Awaitable[None]]]) -> None:
        """Subscribe; returns when the broker knows."""
        try:
            for subject, hear in heard.items():
                self._heard.append(await self._client.subscribe(subject, cb=hear))
            await self._client.flush()
        except (nats.errors.Error, OSError) as error:
            raise Unavailable("The connection to the broker is lost.", code="link_closed") from error

    async def close(self) -> None:
        """Hang up."""
        self.lost()
        with contextlib.suppress(OSError, nats.errors.Error):
            await self._client.close()
        for subscription in self._heard:  # where the connection broke, nats-py forgets them
            subscription._stop_processing()  # noqa: SLF001

    def lost(self) -> None:
        """The connection is gone: nothing that was asked on it will be answered."""
        for work in self._asking:
            work.cancel(_LOST)

    async def ask(self, subject: str, data: bytes, timeout_s: float, asked: str) -> Raw:
        """An answer; raises as `Bus.request`. ``asked``: the subject as the bus has it."""
        checked(data)
        if not self.connected:
            raise Unavailable("The link is closed.", code="link_closed")
        work = asyncio.ensure_future(self._client.request(subject, data, timeout=timeout_s))
        self._asking.add(work)
        try:
            message = await work
        except nats.errors.NoRespondersError:
            raise Unavailable(f"Nobody serves {asked}.", code="no_responder") from None
        except TimeoutError:
            raise Unavailable(f"No answer to {asked} within {timeout_s} s.", code="no_answer") from None
        except asyncio.CancelledError as error:
            if error.args != (_LOST,):
                raise
            raise Unavailable("The link was closed.", code="link_closed") from None
        except (nats.errors.Error, OSError) as error:
            raise Unavailable("The link is closed.", code="link_closed") from error
        finally:
            self._asking.discard(work)
        if message.headers and ERROR in message.headers:
            raise QpiError.from_dict(parse(Raw(message.data), Refusal).error)
        return Raw(message.data)

    async def say(self, subject: str, data: bytes, **more: Any) -> None:
        """Say it, if the broker is there; what it misses, it never hears."""
        checked(data)
        if not self.connected:
            return
        try:
            await self._client.publish(subject, data, **more)
        except (nats.errors.Error, OSError) as error:
            log.debug("%s is lost: %s", subject, error)

    async def answer(self, reply: str, answering: Awaitable[bytes]) -> None:
        """Say what comes of it, or its error."""
        try:
            await self.say(reply, await answering)
        except QpiError as error:
            await self.say(reply, encode(Refusal(error.to_dict())), headers={ERROR: error.code})


class Turns:
    """What comes, sender by sender in its order: one that is slow holds up nobody else. Of one sender ``most`` messages
    wait, and `WAITING_BYTES`; what overflows is lost."""

    def __init__(self, most: int, take: Callable[[str, Msg], Any]) -> None:
        self._most, self._take = most, take
        self._waiting: dict[str, list[Msg]] = {}
        self._bytes = Counter[str]()
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, sender: str, message: Msg) -> None:
        if (waiting := self._waiting.get(sender)) is None:
            waiting = self._waiting[sender] = []
            self.start(self._run(sender))
        if len(waiting) < self._most and self._bytes[sender] < WAITING_BYTES:
            waiting.append(message)
            self._bytes[sender] += len(message.data)

    def start(self, work: Any) -> asyncio.Task[None]:
        """Do it beside everything else, until `close`."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        await ended(*self._tasks)

    async def _run(self, sender: str) -> None:
        waiting = self._waiting[sender]
        try:
            while waiting:
                turn, waiting[:] = list(waiting), []
                for message in turn:
                    await self._take(sender, message)
                    self._bytes[sender] -= len(message.data)
        finally:
            del self._waiting[sender], self._bytes[sender]

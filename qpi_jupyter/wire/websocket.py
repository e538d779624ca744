"""A driver's end of the lab's own WebSocket, ``ws[s]://host/base/qpi/v1/link``, as a `Bus`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus
from typing import Any

import tornado.httpclient
from msgspec import Raw
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketError, websocket_connect

from qpi_jupyter.core import Conflict, Forbidden, QpiError, Rejected, Unauthorized, Unavailable

from .bus import (
    LAB,
    ME,
    QPU,
    Ad,
    Bus,
    Credential,
    Endpoint,
    Listener,
    Listeners,
    Message,
    SignIn,
    Stop,
    encode,
    may_hear,
    may_reach,
    to,
)
from .frames import ADVERTISED, MAX_FRAME_BYTES, QPU_BYE, Bye
from .peer import Found, Handler, Peer
from .reach import DRIVER, unreachable

PATH = "/qpi/v1/link"
_CONNECT_S = 10.0


class WebSocketBus:
    """`Bus` over one connection: only the lab is at its other end, and the instance in a subject is left out."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        self._connection = connection
        self._endpoints: dict[str, Endpoint] = {}
        self._listeners = Listeners()
        self._peer = Peer(self._send, handlers=Found(self._endpoint), listeners=Found(self._listener))

    async def serve(
        self, service: str, instance: str, endpoints: Mapping[str, Endpoint], ad: Mapping[str, Any]
    ) -> Stop:
        may_hear(f"{service}.{instance}.")
        self._endpoints = dict(endpoints)
        if ad:
            await self._peer.publish(ADVERTISED, Ad(ME, dict(ad)))

        async def stop() -> None:
            self._endpoints = {}

        return stop

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        return await self._peer.ask(may_reach(subject), data, timeout=timeout_s)

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        return [Ad(LAB)] if service == LAB and not self._peer.closed else []

    async def publish(self, subject: str, data: bytes) -> None:
        await self._peer.tell(may_reach(subject), data)

    async def subscribe(self, pattern: str, listener: Listener) -> Stop:
        return self._listeners.add(may_hear(pattern), listener)

    async def read(self) -> None:
        """Take frames in until the connection ends; then the driver hears why."""
        reason = ""
        try:
            while (text := await self._connection.read_message()) is not None:
                await self._peer.receive(text)
        except QpiError as error:
            reason = error.message
        # What came right before the end, the welcome perhaps, is heard first.
        await asyncio.sleep(0)
        reason = reason or self._connection.close_reason or "the lab closed the link"
        await self._listener(QPU_BYE)(Raw(encode(Bye(reason=reason))))
        self._peer.close(reason)

    def close(self) -> None:
        self._peer.close()
        self._connection.close()

    async def _send(self, text: str) -> None:
        try:
            await self._connection.write_message(text)
        except (WebSocketClosedError, StreamClosedError) as error:
            raise Unavailable("The link is closed.", code="link_closed") from error

    def _endpoint(self, subject: str) -> Handler | None:
        service, _, word = subject.partition(".")
        if service != QPU or (endpoint := self._endpoints.get(word)) is None:
            return None
        return lambda data: endpoint(Message(to(ME, subject), LAB, data))

    def _listener(self, subject: str) -> Handler:
        return lambda data: self._listeners.tell(Message(to(ME, subject), LAB, data))


class WebSocketKind:
    """``ws`` and ``wss``."""

    def host(self, address: str, sign_in: SignIn) -> AbstractAsyncContextManager[Bus]:
        raise Rejected(
            f"The lab's own server is its WebSocket bus already: leave {address} out.", code="bad_bus_address",
            field="buses",
        )  # fmt: skip

    @asynccontextmanager
    async def dial(self, address: str, credential: Credential) -> AsyncIterator[Bus]:
        bus = WebSocketBus(await _connect(address, credential.token, await credential.trust()))
        reading = asyncio.create_task(bus.read(), name="link reader")
        try:
            yield bus
        finally:
            reading.cancel()
            bus.close()
            await asyncio.gather(reading, return_exceptions=True)


WEBSOCKET = WebSocketKind()


async def _connect(address: str, token: str, context: ssl.SSLContext | None) -> WebSocketClientConnection:
    request = tornado.httpclient.HTTPRequest(
        address,
        headers={"Authorization": f"Bearer {token}"},
        ssl_options=context,
        connect_timeout=_CONNECT_S,
        follow_redirects=False,
    )
    base = "http" + address.removeprefix("ws").removesuffix(PATH)
    try:
        connection = await websocket_connect(request, max_message_size=MAX_FRAME_BYTES)
    except tornado.httpclient.HTTPError as error:
        raise _refusal(error, base) from error
    except (OSError, StreamClosedError, WebSocketError) as error:
        raise Unavailable(unreachable(base, error, remedy=DRIVER).message, code="no_connection") from error
    _tune(connection)
    return connection


def _refusal(error: tornado.httpclient.HTTPError, base: str) -> QpiError:
    """What an answer other than 101 means."""
    where = f"{base} answers {error.code} {error.message}"
    if error.code == HTTPStatus.UNAUTHORIZED:
        return Unauthorized(f"{where}: the token is wrong, or has expired. Register the driver to get a new one.")
    if error.code == HTTPStatus.FORBIDDEN:
        return Forbidden(f"{where}: the token is not a driver's.")
    if error.code == HTTPStatus.CONFLICT:
        return Conflict(f"{where}: another driver of this QPU is alive.")
    if error.code == HTTPStatus.NOT_FOUND:
        return Unavailable(f"{where}: there is no lab at this address (is a base URL missing?).", code="no_lab")
    return Unavailable(where, code="no_lab")


def _tune(connection: WebSocketClientConnection) -> None:
    """No delays, and an end to waiting for a peer that has silently gone: heartbeats then stay unacknowledged."""
    stream = getattr(connection.protocol, "stream", None)
    sock = stream.socket if stream is not None else None
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000)

"""A driver's end of the lab's own WebSocket, ``ws[s]://host/base/qpi/v1/link``, as a `Bus`."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from http import HTTPStatus

import tornado.httpclient
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketError, websocket_connect

from qpi_jupyter.core import Conflict, Forbidden, QpiError, Rejected, Unauthorized, Unavailable

from .bus import Bus, Credential, SignIn
from .frames import MAX_FRAME_BYTES
from .reach import DRIVER, unreachable
from .stream_bus import StreamBus
from .tasks import ended

PATH = "/qpi/v1/link"
_CONNECT_S = 10.0


class WebSocketBus(StreamBus):
    """`Bus` over one WebSocket."""

    def __init__(self, connection: WebSocketClientConnection) -> None:
        super().__init__(self._send)
        self._connection = connection

    async def read(self) -> None:
        """Take frames in until the connection ends; then the driver hears why."""
        reason = ""
        try:
            while (text := await self._connection.read_message()) is not None:
                await self.received(text)
        except QpiError as error:
            reason = error.message
        # What came right before the end, the welcome perhaps, is heard first.
        await asyncio.sleep(0)
        await self.ended(reason or self._connection.close_reason or "the lab closed the link")

    def close(self) -> None:
        super().close()
        self._connection.close()

    async def _send(self, text: str) -> None:
        try:
            await self._connection.write_message(text)
        except (WebSocketClosedError, StreamClosedError) as error:
            raise Unavailable("The link is closed.", code="link_closed") from error


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
            bus.close()
            await ended(reading)


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

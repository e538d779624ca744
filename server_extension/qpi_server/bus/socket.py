"""WebSockets at the lab's end: pings and an orderly end; a driver's, with limits and back-pressure."""

from __future__ import annotations

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from qpi_jupyter.core import QpiError, Unavailable
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES

from .hub import Connection, Hub

PING_S = 20.0
CLOSE_BAD_FRAME = 4400
CLOSE_SUPERSEDED = 4409


class LabSocket(WebSocketHandler):
    """A WebSocket at the lab's end."""

    @property
    def ping_interval(self) -> float:
        """Seconds between pings: a half-open connection is noticed even where nothing is said."""
        return PING_S

    @property
    def ping_timeout(self) -> float:
        """How long a pong may take."""
        return PING_S

    def end(self, code: int, reason: str) -> None:
        """Close the connection and say why (at most 123 bytes travel)."""
        self.close(code, reason.encode()[:120].decode(errors="ignore"))


class HubSocket(LabSocket):
    """A driver's. A subclass says who may open it, and calls `join` once it is open."""

    connection: Connection | None = None

    @property
    def max_message_size(self) -> int:
        """The link's own limit, not the application's."""
        return MAX_FRAME_BYTES

    def join(self, hub: Hub, driver: str) -> None:
        """Let the driver that dialled into the hub."""
        self.connection = Connection(hub, driver, self._send, lambda reason: self.end(CLOSE_SUPERSEDED, reason))

    async def _send(self, text: str) -> None:
        """Send one frame; returns when the connection has taken it, so that a slow reader slows the sender."""
        try:
            await self.write_message(text)
        except (WebSocketClosedError, StreamClosedError) as error:
            raise Unavailable("The link is closed.", code="link_closed") from error

    async def on_message(self, message: str | bytes) -> None:
        """Take one frame in; the next is not read before this one is dealt with."""
        try:
            if self.connection is not None:
                await self.connection.peer.receive(message)
        except QpiError as error:
            self.end(CLOSE_BAD_FRAME, error.message)

    def on_close(self) -> None:
        """End what waits on the link."""
        if self.connection is not None:
            self.connection.closed()

"""The drivers' WebSocket, ``<base_url>qpi/v1/link``: to the lab here, or on to the one that owns it."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError

from qpi_jupyter.core.access import Permission
from qpi_jupyter.core.errors import Forbidden, Unauthorized, Unavailable
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES
from qpi_server.bus.socket import CLOSE_SUPERSEDED, PeerSocket
from qpi_server.forward import Upstream

from .handler import Signed

PATH = "/qpi/v1/link"
PERMISSION = Permission.DRIVE


class LinkHandler(PeerSocket, Signed):
    """One driver's connection."""

    _session: Any = None
    _far: WebSocketClientConnection | None = None
    _pump: asyncio.Task[None] | None = None

    async def prepare(self) -> None:
        """Only a driver's token opens a link."""
        await self.sign_in(PERMISSION)
        self._seat = await self.ownership.seat()
        await self.admit(self._seat, PERMISSION)

    @allow_unauthenticated
    async def get(self, *args: str, **kwargs: str) -> None:
        """Shake hands, with the owner first where that is somebody else."""
        if isinstance(self._seat, Upstream):
            self._far = await self._dial(self._seat)
        await super().get(*args, **kwargs)

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Put the lab, or the connection to it, behind the link."""
        if self._far is not None:
            self._pump = asyncio.create_task(self._from_far(self._far), name="link from the owner")
            return
        assert not isinstance(self._seat, Upstream)
        assert self.principal is not None
        peer = self.new_peer()
        self._session = self._seat.drivers.connect(
            self.principal, peer, lambda reason: self.end(CLOSE_SUPERSEDED, reason)
        )
        peer.handlers, peer.listeners = self._session.handlers, self._session.listeners

    async def on_message(self, message: str | bytes) -> None:
        """Take a frame, or pass it on."""
        if self._far is None:
            await super().on_message(message)
            return
        with suppress(WebSocketClosedError):  # its end is on its way through the pump
            await self._far.write_message(message)

    def on_close(self) -> None:
        """The driver has gone."""
        super().on_close()
        if self._session is not None:
            self._session.closed()
        if self._far is not None:
            self._far.close()
        if self._pump is not None:
            self._pump.cancel()

    async def _dial(self, upstream: Upstream) -> WebSocketClientConnection:
        assert self.sent_token is not None
        try:
            return await upstream.websocket(PATH.lstrip("/"), self.sent_token, max_bytes=MAX_FRAME_BYTES)
        except HTTPClientError as error:
            refusals = {401: Unauthorized("The lab does not know this token."), 403: Forbidden("Not a driver's token.")}
            raise refusals.get(error.code, Unavailable(f"The lab's owner answered {error.code}.")) from error
        except (OSError, TimeoutError) as error:
            raise Unavailable(f"The lab's owner does not answer: {error}") from error

    async def _from_far(self, far: WebSocketClientConnection) -> None:
        while (message := await far.read_message()) is not None:
            try:
                await self.write_message(message)
            except WebSocketClosedError:
                return
        self.close(far.close_code or 1012, far.close_reason)

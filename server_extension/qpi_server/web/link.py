"""The drivers' WebSocket, ``<base_url>qpi/v1/link``: to the lab here, or on to the one that owns it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado.httpclient import HTTPClientError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError

from qpi_jupyter.core import Forbidden, Permission, Rejected, Unauthorized, Unavailable
from qpi_jupyter.wire.frames import MAX_FRAME_BYTES
from qpi_server.bus.socket import HubSocket
from qpi_server.host.forward import Upstream, pass_on

from .identity import credential, is_lab_token
from .signed import Signed

PATH = "/qpi/v1/link"
PERMISSION = Permission.DRIVE


class LinkHandler(HubSocket, Signed):  # type: ignore[misc]  # of the two `check_origin`, tornado's
    """One driver's connection."""

    _far: WebSocketClientConnection | None = None
    _pump: asyncio.Task[None] | None = None

    async def prepare(self) -> None:  # type: ignore[override]
        """Only a driver's token opens a link, and only a WebSocket is one; nobody's Jupyter sign-in is asked for."""
        if self.request.method != "GET":
            raise Rejected("A driver's link is opened with GET.", code="method_not_allowed")
        if not is_lab_token(credential(self)):
            raise Unauthorized(
                "A driver's link needs the driver's token: send it in the header Authorization.",
                upgrade=self._asks_upgrade(),  # as it came: `jupyter qpi doctor` hears of what a proxy changed
                host=self.request.host[:200],
            )
        await self.sign_in(PERMISSION)
        self._target = await self.ownership.target()
        await self.admit(self._target, PERMISSION)
        self._check_upgrade()

    @allow_unauthenticated
    async def get(self, *args: str, **kwargs: str) -> None:
        """Shake hands, with the owner first where that is somebody else."""
        if isinstance(self._target, Upstream):
            self._far = await self._dial(self._target)
        await super().get(*args, **kwargs)

    def open(self, *_args: str, **_kwargs: str) -> None:
        """Put the lab, or the connection to it, behind the link."""
        if self._far is not None:
            self._pump = asyncio.create_task(pass_on(self._far, self), name="link from the owner")
            return
        assert not isinstance(self._target, Upstream)
        assert self.principal is not None
        self.join(self._target.buses.hub, self.principal.name)

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
        if self._far is not None:
            self._far.close()
        if self._pump is not None:
            self._pump.cancel()

    def _asks_upgrade(self) -> bool:
        """Whether the headers that make a WebSocket of a request have come."""
        headers = self.request.headers
        return "upgrade" in headers.get("Connection", "").lower() and headers.get("Upgrade", "").lower() == "websocket"

    def _check_upgrade(self) -> None:
        """Refuse what Tornado would answer in its own words, or not at all."""
        headers = self.request.headers
        if (
            not self._asks_upgrade()
            or headers.get("Sec-WebSocket-Version") != "13"
            or not headers.get("Sec-WebSocket-Key")
        ):
            raise Rejected(
                "A driver's link is a WebSocket (version 13): start a driver with qpi-agent, or ask a proxy on the way "
                "to pass on the headers Connection and Upgrade.",
                code="upgrade_required",
            )

    async def _dial(self, upstream: Upstream) -> WebSocketClientConnection:
        assert self.sent_token is not None
        try:
            return await upstream.websocket(PATH.lstrip("/"), self.sent_token, max_bytes=MAX_FRAME_BYTES)
        except HTTPClientError as error:
            refusals = {401: Unauthorized("The lab does not know this token."), 403: Forbidden("Not a driver's token.")}
            raise refusals.get(error.code, Unavailable(f"The lab's owner answered {error.code}.")) from error
        except (OSError, TimeoutError) as error:
            raise Unavailable("The lab's owner does not answer.") from error

"""A driver's end of a bus that is one stream of frames to the lab, whatever carries them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from .bus import LAB, ME, QPU, Ad, DriversEnd, Endpoint, Message, Stop, encode, may_reach, to
from .frames import ADVERTISED, QPU_BYE, Bye
from .peer import Found, Handler, Peer, Send


class StreamBus(DriversEnd):
    """`Bus` over one connection: only the lab is at its other end, and the instance in a subject is left out.

    It is given ``send``; whoever reads the stream feeds it with `received`, and calls `ended` at its end.
    """

    def __init__(self, send: Send) -> None:
        super().__init__()
        self._peer = Peer(send, handlers=Found(self._endpoint), listeners=Found(self._listener))

    async def serve(
        self, service: str, instance: str, endpoints: Mapping[str, Endpoint], ad: Mapping[str, Any]
    ) -> Stop:
        stop = await super().serve(service, instance, endpoints, ad)
        if ad:
            await self.advertise(Ad(ME, self.ad))
        return stop

    async def request(self, subject: str, data: bytes, timeout_s: float) -> Raw:
        return await self._peer.ask(may_reach(subject), data, timeout=timeout_s)

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        return [Ad(LAB)] if service == LAB and not self._peer.closed else []

    async def publish(self, subject: str, data: bytes) -> None:
        await self._peer.tell(may_reach(subject), data)

    async def advertise(self, ad: Ad) -> None:
        """Tell the lab what this driver says of itself."""
        await self._peer.publish(ADVERTISED, ad)

    async def received(self, text: str | bytes) -> None:
        """Take a frame in; raises `Rejected` if it is none: close the connection."""
        await self._peer.receive(text)

    async def ended(self, reason: str) -> None:
        """The stream is over, and the driver hears why."""
        await self._listener(QPU_BYE)(Raw(encode(Bye(reason=reason))))
        self._peer.close(reason)

    def close(self) -> None:
        """This end goes; nobody is told."""
        self._peer.close()

    def _endpoint(self, subject: str) -> Handler | None:
        service, _, word = subject.partition(".")
        if service != QPU or (endpoint := self._endpoints.get(word)) is None:
            return None
        return lambda data: endpoint(Message(to(ME, subject), LAB, data))

    def _listener(self, subject: str) -> Handler:
        return lambda data: self._listeners.tell(Message(to(ME, subject), LAB, data))

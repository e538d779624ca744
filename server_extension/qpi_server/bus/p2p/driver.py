"""A driver's end of a p2p bus, and the addresses of such buses."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct

from qpi_jupyter.core import QpiError, Rejected, TooLarge, Unavailable
from qpi_jupyter.wire.bus import Ad, Bus, Credential, encode
from qpi_jupyter.wire.stream_bus import StreamBus
from qpi_jupyter.wire.tasks import ended

from .pipe import Kind
from .process import MOST_AD_BYTES, WINDOW, Frame, Process, Settings

SCHEME = "p2p://"
_HEARD_S = 5.0
_MULTIADDR = re.compile(r"/(ip4|ip6|dns4|dns6|dns)/[^/]+/tcp/\d+(/p2p/\w+)?")


class SignIn(Struct):
    """The first frame of a link, from the driver."""

    token: str


class SignedIn(Struct):
    """The lab's answer: the driver's address on this bus, or why it is not let in."""

    address: str = ""
    error: dict[str, Any] | None = None


class Place(NamedTuple):
    """An address such as ``p2p:///ip4/192.0.2.7/tcp/4001/p2p/12D3Koo...?namespace=lab``."""

    multiaddr: str
    options: dict[str, str]

    @property
    def protocol(self) -> str:
        """The protocol of its links."""
        return f"/qpi/{self._namespace}/link/1.0.0"

    @property
    def topic(self) -> str:
        """Where its drivers advertise themselves."""
        return f"{self._namespace}.peer-advertisement.v1"

    @property
    def _namespace(self) -> str:
        return self.options.get("namespace", "lab")


def place(address: str, *, of_a_peer: bool) -> Place:
    """What the address says; raises `Rejected`. ``of_a_peer``: it has to name the peer that is meant."""
    multiaddr, _, query = address.removeprefix(SCHEME).partition("?")
    options = dict(parse_qsl(query))
    found = _MULTIADDR.fullmatch(multiaddr)
    if found is None or (found[2] is not None) != of_a_peer or set(options) - {"key", "namespace"}:
        example = "/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo..." if of_a_peer else "/ip4/0.0.0.0/tcp/4001"
        who = "the address that the lab shows" if of_a_peer else "where to listen"
        raise Rejected(f"A p2p address is like {SCHEME}{example}: {who}.", code="bad_bus_address", field="bus")
    return Place(multiaddr, options)


class PeerBus(StreamBus):
    """`Bus` over one link, which advertises over gossipsub."""

    def __init__(self, process: Process, link: int) -> None:
        super().__init__(self._send)
        self._process, self._link = process, link
        self._said, self._taken = b"", asyncio.Event()

    async def advertise(self, ad: Ad) -> None:
        """It is said again until the lab has heard it, and after that for those who come later."""
        self._said = encode(ad)
        if len(self._said) > MOST_AD_BYTES:
            raise TooLarge(f"An ad of {len(self._said):,} bytes; the limit is {MOST_AD_BYTES:,}.", code="ad_too_large")
        self._taken.clear()
        with contextlib.suppress(TimeoutError, Unavailable):
            await self._process.send(Kind.SAY, self._link, self._said)
            async with asyncio.timeout(_HEARD_S):
                await self._taken.wait()

    def heard(self, ad: bytes) -> None:
        """The lab has heard this."""
        if ad == self._said:
            self._taken.set()

    async def _send(self, text: str) -> None:
        await self._process.send(Kind.DATA, self._link, text.encode())


@asynccontextmanager
async def dial(address: str, credential: Credential) -> AsyncIterator[Bus]:
    """`BusKind.dial`."""
    to = place(address, of_a_peer=True)
    settings = Settings(dial=to.multiaddr, protocol=to.protocol, topic=to.topic)
    process = await Process.start(settings)
    try:
        frames = process.frames()
        async with asyncio.timeout(settings.sign_in_s):
            link = await _signed_in(process, frames, credential.token)
        bus = PeerBus(process, link)
        reading = asyncio.create_task(_read(process, frames, bus), name="p2p link")
        try:
            yield bus
        finally:
            bus.close()
            await ended(reading)
    except TimeoutError as error:
        raise Unavailable(f"The lab at {to.multiaddr} does not answer.", code="no_lab") from error
    finally:
        await process.close()


async def _signed_in(process: Process, frames: AsyncIterator[Frame], token: str) -> int:
    """The link, on which the lab has let us in."""
    async for frame in frames:
        if frame.kind is Kind.OPENED:
            await process.credit(frame.link, WINDOW)
            await process.send(Kind.DATA, frame.link, msgspec.json.encode(SignIn(token)))
        elif frame.kind is Kind.DATA:
            answer = msgspec.json.decode(frame.body, type=SignedIn)
            if answer.error is not None:
                raise QpiError.from_dict(answer.error)
            return frame.link
        else:
            raise Unavailable(f"The lab ended the link: {frame.body.decode(errors='replace')}", code="no_lab")
    raise Unavailable("The libp2p peer has ended.", code="no_peer")


async def _read(process: Process, frames: AsyncIterator[Frame], bus: PeerBus) -> None:
    reason = "the libp2p peer of the driver has ended"
    try:
        async for frame in frames:
            if frame.kind is Kind.HEARD:
                bus.heard(frame.body)
                continue
            if frame.kind is not Kind.DATA:
                reason = frame.body.decode(errors="replace") or "the lab has gone"
                break
            await bus.received(frame.body)
            await process.credit(frame.link, 1)
    except QpiError as error:
        reason = error.message
    await bus.ended(reason)

"""The lab's end of a p2p bus, and the bus as a member of ``qpi.buses``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Raw

from qpi_jupyter.core import QpiError, Rejected, Unavailable
from qpi_jupyter.wire.bus import LAB, Ad, Bus, Credential, SignIn
from qpi_jupyter.wire.peer import parse
from qpi_jupyter.wire.tasks import ended
from qpi_server.bus.hub import Connection, Hub
from qpi_server.settings.values import default_lab_dir

from . import driver
from .pipe import Kind
from .process import WINDOW, Frame, Process, Settings

log = logging.getLogger(__name__)
AGAIN_S = 1.0


class PeerHub(Hub):
    """The lab's `Bus`: a hub that drivers join through a libp2p peer, which is started again when it ends.

    ``addresses`` is what drivers dial, and ``peer_id`` who they find there; ``pid`` is the peer's process.
    """

    def __init__(self, settings: Settings, sign_in: SignIn) -> None:
        super().__init__()
        self._settings, self._sign_in = settings, sign_in
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self.peer_id, self.addresses = "", list[str]()

    @property
    def pid(self) -> int | None:
        """None while there is no peer."""
        return self._process.pid if self._process is not None else None

    async def open(self) -> None:
        """Raises as `Process.start`."""
        process = await self._start()
        # The port, and who is there, stay what drivers know.
        port = re.search(r"/tcp/\d+", self.addresses[0])
        assert port is not None
        self._settings.listen = re.sub(r"/tcp/\d+", port[0], self._settings.listen)
        self._keeping = asyncio.create_task(self._keep(process), name="p2p peer")

    async def close(self) -> None:
        await super().close()
        await ended(self._keeping)
        if self._process is not None:
            await self._process.close()

    async def discover(self, service: str, wait_s: float = 0.2) -> list[Ad]:
        if service == LAB and self._process is None:
            return []
        return await super().discover(service, wait_s)

    async def _start(self) -> Process:
        process = await Process.start(self._settings)
        self.peer_id = process.ready.peer_id
        self.addresses = [f"{driver.SCHEME}{address}" for address in process.ready.addresses]
        self._process = process
        return process

    async def _keep(self, process: Process) -> None:
        while True:
            await self._serve(process)
            self._process = None
            await process.close()
            log.warning("the libp2p peer has ended, and is started again")
            process = await self._again()

    async def _again(self) -> Process:
        while True:
            try:
                return await self._start()
            except QpiError as error:
                log.warning("the libp2p peer does not start: %s", error)
            await asyncio.sleep(AGAIN_S)

    async def _serve(self, process: Process) -> None:
        links: dict[int, asyncio.Queue[Frame | None]] = {}
        async with asyncio.TaskGroup() as group:
            async for frame in process.frames():
                if frame.kind is Kind.OPENED:
                    frames = links[frame.link] = asyncio.Queue()
                    group.create_task(self._attend(process, frame.link, frames, group), name=f"p2p link {frame.link}")
                elif frame.kind is Kind.CLOSED:
                    links.pop(frame.link).put_nowait(None)
                else:
                    links[frame.link].put_nowait(frame)
            for frames in links.values():
                frames.put_nowait(None)

    async def _attend(
        self, process: Process, link: int, frames: asyncio.Queue[Frame | None], group: asyncio.TaskGroup
    ) -> None:
        """One driver, from its sign-in to its end; whatever it does disturbs no other."""
        connection = None

        async def send(text: str) -> None:
            await process.send(Kind.DATA, link, text.encode())

        def hang_up(reason: str) -> None:
            group.create_task(process.bye(link, reason))

        try:
            if (first := await frames.get()) is None:
                return
            connection = Connection(self, await self._sign_in(_token(first.body)), send, hang_up)
            await send(msgspec.json.encode(driver.SignedIn(connection.address)).decode())
            await process.credit(link, WINDOW)
            while (frame := await frames.get()) is not None:
                if frame.kind is Kind.HEARD:
                    connection.ad = parse(Raw(frame.body), Ad).data
                    await process.send(Kind.HEARD, link, frame.body)
                elif not connection.peer.closed:
                    await connection.peer.receive(frame.body)
                    await process.credit(link, 1)
        except QpiError as error:
            if connection is None:
                refusal = driver.SignedIn(error=error.to_dict())
                with contextlib.suppress(Unavailable):
                    await process.send(Kind.DATA, link, msgspec.json.encode(refusal))
            await process.bye(link, error.message)
        except Exception:
            log.exception("p2p link %d", link)
            await process.bye(link)
        finally:
            if connection is not None:
                connection.closed()


def _token(frame: bytes) -> str:
    try:
        return msgspec.json.decode(frame, type=driver.SignIn).token
    except msgspec.MsgspecError as error:
        raise Rejected("The first frame of a link says who it is.", code="bad_frame") from error


class PeerToPeer:
    """``p2p``."""

    @asynccontextmanager
    async def host(self, address: str, sign_in: SignIn) -> AsyncIterator[Bus]:
        where = driver.place(address, of_a_peer=False)
        key = Path(where.options.get("key") or default_lab_dir() / f"p2p{where.multiaddr.replace('/', '-')}.key")
        hub = PeerHub(
            Settings(listen=where.multiaddr, key=str(key), protocol=where.protocol, topic=where.topic), sign_in
        )
        await hub.open()
        try:
            yield hub
        finally:
            await hub.close()

    def dial(self, address: str, credential: Credential) -> AbstractAsyncContextManager[Bus]:
        return driver.dial(address, credential)


PEER_TO_PEER = PeerToPeer()

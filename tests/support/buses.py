"""A lab's end of a bus by itself, and drivers' ends of it, in this process or in another one."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tornado.httpserver
import tornado.web
import trustme
from msgspec import Struct
from tornado.testing import bind_unused_port

from qpi_jupyter.core.errors import QpiError, Unauthorized
from qpi_jupyter.wire.bus import LAB, ME, QPU, Bus, Credential, Message, SignIn, ask, kind_of
from qpi_jupyter.wire.peer import parse
from qpi_server.bus.hub import Hub
from qpi_server.bus.p2p.process import PYTHON
from qpi_server.bus.socket import HubSocket
from tests.support.broker import Broker
from tests.support.packages import TOY_BUS
from tests.support.servers import ROOT, python_env

PATIENCE_S = 30.0
KNOWN = "token-of-"
BROKERS = ("nats", "tls")
"""Buses that are a process."""
P2P = "p2p:///ip4/127.0.0.1/tcp/0?key={}/key"
P2P_PYTHON = Path(sys.prefix) / "clients" / "p2p" / "bin" / "python"
"""libp2p has an environment of its own, which `make test-slow` makes."""
os.environ.setdefault(PYTHON, str(P2P_PYTHON))


class Word(Struct):
    text: str


@dataclass
class Stand:
    """A lab that is on a bus; `stop` ends it."""

    address: str
    lab: Bus
    context: ssl.SSLContext | None
    hosting: AbstractAsyncContextManager[Any]

    def dial(self, driver: str, token: str = "") -> AbstractAsyncContextManager[Bus]:
        """The end of a driver of this name."""
        return kind_of(self.address).dial(self.address, credential(token or f"{KNOWN}{driver}", self.context))

    async def stop(self) -> None:
        await self.hosting.__aexit__(None, None, None)


def credential(token: str, context: ssl.SSLContext | None = None) -> Credential:
    async def trust() -> ssl.SSLContext | None:
        return context

    return Credential(token=token, trust=trust)


async def sign_in(token: str) -> str:
    """Who has a ``token-of-NAME``."""
    if not token.startswith(KNOWN):
        raise Unauthorized("Nobody has this token.", code="bad_token")
    return token.removeprefix(KNOWN)


@asynccontextmanager
async def stand(name: str) -> AsyncIterator[Stand]:
    """A lab on the bus ``name``, at a place of its own."""
    place = Path(tempfile.mkdtemp(prefix="bus", dir="/tmp"))  # the path of a socket is short
    broker = Broker(place, tls=name == "tls") if name in BROKERS else None
    try:
        authority = trustme.CA() if name == "wss" else None
        context = None
        if authority is not None:
            context = ssl.create_default_context()
            authority.configure_trust(context)
        sockets = name in ("ws", "wss")
        address = P2P.format(place) if name == "p2p" else f"{name}://{place}"
        if broker is not None:
            address, context = broker.start().lab_url, broker.context
        hosting = _web(authority, sign_in) if sockets else kind_of(address).host(address, sign_in)
        lab = await hosting.__aenter__()
        if sockets:
            address, lab = f"{name}://127.0.0.1:{lab[1]}/qpi/v1/link", lab[0]
        elif name == "p2p":
            (address,) = lab.addresses
        standing = Stand(address, lab, context, hosting)
        try:
            yield standing
        finally:
            if getattr(hosting, "gen", None) is None or hosting.gen.ag_frame is not None:  # type: ignore[attr-defined]
                await standing.stop()
    finally:
        if broker is not None:
            broker.kill()
        shutil.rmtree(place)


@asynccontextmanager
async def _web(authority: trustme.CA | None, sign_in: SignIn) -> AsyncIterator[tuple[Hub, int]]:
    """The part of the lab's server that is the bus."""
    hub, sockets = Hub(), set[HubSocket]()

    class Link(HubSocket):
        driver = ""

        async def get(self, *args: Any, **kwargs: Any) -> None:
            try:
                self.driver = await sign_in(self.request.headers["Authorization"].removeprefix("Bearer "))
            except QpiError:
                self.set_status(401)
                await self.finish()
                return
            await super().get(*args, **kwargs)

        def open(self, *args: str, **kwargs: str) -> None:
            sockets.add(self)
            self.join(hub, self.driver)

    options = None
    if authority is not None:
        options = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(options)
    routes = tornado.web.Application([("/qpi/v1/link", Link)], log_function=lambda handler: None)
    server = tornado.httpserver.HTTPServer(routes, ssl_options=options)
    socket, port = bind_unused_port()
    server.add_socket(socket)
    try:
        yield hub, port
    finally:
        server.stop()
        for link in sockets:
            link.end(1001, "the lab has gone")
        await server.close_all_connections()
        await asyncio.sleep(0)


async def echo(message: Message) -> Word:
    """Says who asked what, and in which words."""
    return Word(f"{message.sender.partition(':')[0]}: {parse(message.data, Word).text}")


async def say(bus: Bus, subject: str, text: str = "hello", timeout_s: float = PATIENCE_S) -> str:
    return (await ask(bus, subject, Word(text), Word, timeout_s)).text


@asynccontextmanager
async def driver_process(standing: Stand, driver: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A driver in a process of its own, which is there when the context is entered."""
    command = [sys.executable, "-m", "tests.support.buses", standing.address, f"{KNOWN}{driver}"]
    path = f"{TOY_BUS}:{python_env()['PYTHONPATH']}"
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=python_env() | {"PYTHONPATH": path, PYTHON: os.environ[PYTHON]},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), PATIENCE_S) == b"here\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _drive(address: str, token: str) -> None:
    async with kind_of(address).dial(address, credential(token)) as bus:
        await bus.serve(QPU, ME, {"echo": echo}, {"pid": 1})
        assert await bus.discover(LAB)
        print("here", flush=True)
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(_drive(*sys.argv[1:]))

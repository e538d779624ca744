"""A lab whose every word the test says: the other end of a driver's link and uploads, on a free loopback port.

::

    async with ScriptedLab() as lab:
        driver = await lab.greet()                      # hello -> welcome
        await driver.assign(assignment("j1"))           # claim -> assignment
        await driver.expect(frames.STARTED)
        upload = await lab.upload()
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import msgspec
import tornado.httpserver
import tornado.web
import tornado.websocket
from tornado.testing import bind_unused_port

from qpi_jupyter.core.programs import pack
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import Assignment, ProgramRef, Welcome
from qpi_jupyter.wire.peer import Envelope
from qpi_jupyter.wire.rest import OptionsIn, ResultStored
from qpi_jupyter.wire.results import DIGEST_HEADER, Splitter

PATIENCE_S = 120.0
TOKEN = "qpi_secret-token-of-the-driver"
T = TypeVar("T")


async def soon(work: Awaitable[T]) -> T:
    """The answer of ``work``, or a failed test when it takes too long."""
    async with asyncio.timeout(PATIENCE_S):
        return await work


def assignment(job_id: str, *, attempt: int = 1, source: bytes = b"bell", **changes: Any) -> Assignment:
    """A job for a driver; ``inline=False`` leaves the program to be fetched."""
    inline = changes.pop("inline", True)
    program = ProgramRef(
        format="openqasm3",
        sha256="0" * 64,
        options=OptionsIn(shots=100),
        sources=[source] if inline else [],
    )
    return Assignment(job_id=job_id, attempt=attempt, program=program, **changes)


@dataclass
class Upload:
    """One result that came in; ``header`` is None while it was cut or refused."""

    job_id: str
    attempt: int
    digest: str
    header: dict[str, Any]
    blob: bytes


@dataclass
class Frame:
    """One frame of the driver."""

    subject: str
    body: dict[str, Any]
    number: int


class ScriptedDriver:
    """The lab's end of one link."""

    def __init__(self, socket: tornado.websocket.WebSocketHandler) -> None:
        self._socket = socket
        self._heard: dict[str, asyncio.Queue[Frame]] = defaultdict(asyncio.Queue)
        self._answers: dict[int, asyncio.Future[Envelope]] = {}
        self._numbers = itertools.count(1)
        self._gone = asyncio.Event()

    def heard(self, text: str | bytes) -> None:
        envelope = msgspec.json.decode(text, type=Envelope)
        if envelope.op == "res":
            self._answers.pop(envelope.id).set_result(envelope)
        else:
            frame = Frame(envelope.subject, msgspec.json.decode(envelope.data), envelope.id)
            self._heard[envelope.subject].put_nowait(frame)

    def hung_up(self) -> None:
        self._gone.set()

    async def expect(self, subject: str) -> Frame:
        """The driver's next frame of this subject."""
        return await soon(self._heard[subject].get())

    def silent(self, subject: str) -> bool:
        """Whether no such frame has come that was not expected before."""
        return self._heard[subject].empty()

    async def assign(self, job: Assignment) -> None:
        """Answer the driver's claim, once there is one."""
        self.answer(await self.expect(frames.CLAIM), job)

    async def report(self, outcome: str, job_id: str) -> dict[str, Any]:
        """The driver's next report, which has to say this; it is acknowledged."""
        report = await self.expect(frames.REPORT)
        assert (report.body["outcome"], report.body["job_id"]) == (outcome, job_id), report.body
        self.answer(report, frames.Reported(accepted=True))
        return report.body

    async def holds(self, *wanted: tuple[str, str]) -> None:
        """Wait for a heartbeat from now on that holds exactly these jobs in these phases."""
        while not self.silent(frames.HEARTBEAT):
            await self.expect(frames.HEARTBEAT)
        while True:
            held = (await self.expect(frames.HEARTBEAT)).body.get("held", [])
            if sorted((h["job_id"], h.get("phase", "running")) for h in held) == sorted(wanted):
                return

    async def end(self) -> None:
        """Wait until the driver hangs up."""
        await soon(self._gone.wait())

    def answer(self, request: Frame, body: msgspec.Struct) -> None:
        self._send(Envelope(op="res", id=request.number, data=msgspec.Raw(msgspec.json.encode(body))))

    def refuse(self, request: Frame, error: dict[str, Any]) -> None:
        self._send(Envelope(op="res", id=request.number, error=error))

    def publish(self, subject: str, body: msgspec.Struct) -> None:
        self._send(Envelope(op="pub", subject=subject, data=msgspec.Raw(msgspec.json.encode(body))))

    async def request(self, subject: str, body: msgspec.Struct) -> Envelope:
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        data = msgspec.Raw(msgspec.json.encode(body))
        self._send(Envelope(op="req", id=number, subject=subject, data=data))
        return await soon(self._answers[number])

    def hang_up(self, code: int | None = None, reason: str | None = None) -> None:
        self._socket.close(code, reason)

    def _send(self, envelope: Envelope) -> None:
        self._socket.write_message(msgspec.json.encode(envelope).decode())


@dataclass
class ScriptedLab:
    """The server. ``script`` holds what the next uploads are answered with: a status, a `ResultStored`, or None to cut
    the connection after the result was read; when it is empty, 201."""

    tls: ssl.SSLContext | None = None
    base: str = ""
    link_status: int = 101
    script: deque[int | ResultStored | None] = field(default_factory=deque)
    programs: dict[str, tuple[bytes, ...]] = field(default_factory=dict)
    ca_pem: bytes = b""
    port: int = 0

    def __post_init__(self) -> None:
        self.drivers: asyncio.Queue[ScriptedDriver] = asyncio.Queue()
        self.uploads: asyncio.Queue[Upload] = asyncio.Queue()
        self.refused_links = asyncio.Queue[None]()
        self.sockets: set[tornado.websocket.WebSocketHandler] = set()
        self._server: tornado.httpserver.HTTPServer | None = None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    def start(self) -> None:
        """Listen; a later start takes the same port."""
        prefix = f"{self.base}/qpi/v1"
        routes = [
            (f"{prefix}/link", _Link, {"lab": self}),
            (f"{prefix}/jobs/([^/]+)/attempts/([0-9]+)/result", _Result, {"lab": self}),
            (f"{prefix}/programs/([^/]+)", _Program, {"lab": self}),
            (f"{prefix}/ca.pem", _Authority, {"lab": self}),
        ]
        application = tornado.web.Application(routes, log_function=lambda handler: None)
        self._server = tornado.httpserver.HTTPServer(
            application, ssl_options=self.tls, max_buffer_size=1 << 30, max_body_size=1 << 30
        )
        if self.port:
            self._server.listen(self.port, "127.0.0.1")
        else:
            socket, self.port = bind_unused_port()
            self._server.add_socket(socket)

    async def stop(self) -> None:
        """Go away, links and all."""
        assert self._server is not None
        self._server.stop()
        for socket in list(self.sockets):
            if socket.ws_connection is not None:
                socket.ws_connection.stream.close()  # type: ignore[attr-defined]
        await self._server.close_all_connections()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{self.base}"

    async def driver(self) -> tuple[ScriptedDriver, Frame]:
        """The next driver that dials in, and its hello."""
        driver = await soon(self.drivers.get())
        return driver, await driver.expect(frames.HELLO)

    async def greet(self, **changes: Any) -> ScriptedDriver:
        """The next driver, welcomed."""
        driver, hello = await self.driver()
        driver.answer(hello, welcome(**changes))
        return driver

    async def upload(self) -> Upload:
        return await soon(self.uploads.get())


def welcome(**changes: Any) -> Welcome:
    return Welcome(**{"qpu": "q1", "epoch": 7, "lease_s": 20.0, "heartbeat_s": 0.2, "reask_s": 15.0, **changes})


class _Link(tornado.websocket.WebSocketHandler):
    def initialize(self, lab: ScriptedLab) -> None:
        self._lab = lab

    async def get(self, *args: Any, **kwargs: Any) -> None:
        if self._lab.link_status != 101 or self.request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.set_status(self._lab.link_status if self._lab.link_status != 101 else 401)
            self._lab.refused_links.put_nowait(None)
            self.finish()
            return
        await super().get(*args, **kwargs)

    def open(self, *args: str, **kwargs: str) -> None:
        self.set_nodelay(True)
        self._lab.sockets.add(self)
        self._driver = ScriptedDriver(self)
        self._lab.drivers.put_nowait(self._driver)

    def on_message(self, message: str | bytes) -> None:
        self._driver.heard(message)

    def on_close(self) -> None:
        self._lab.sockets.discard(self)
        self._driver.hung_up()


class _Result(tornado.web.RequestHandler):
    def initialize(self, lab: ScriptedLab) -> None:
        self._lab = lab

    def put(self, job_id: str, attempt: str) -> None:
        assert self.request.headers["Authorization"] == f"Bearer {TOKEN}"
        splitter = Splitter(self.request.headers[DIGEST_HEADER])
        blob = splitter.feed(self.request.body)
        said = self._lab.script.popleft() if self._lab.script else 201
        upload = Upload(job_id, int(attempt), self.request.headers[DIGEST_HEADER], splitter.finish(), blob)
        self._lab.uploads.put_nowait(upload)
        if said is None:
            self.request.connection.stream.close()  # type: ignore[attr-defined]
            return
        self.set_status(said if isinstance(said, int) else 200)
        answer = said if isinstance(said, ResultStored) else ResultStored(accepted=True, status="completed")
        self.finish(msgspec.json.encode(answer))


class _Program(tornado.web.RequestHandler):
    def initialize(self, lab: ScriptedLab) -> None:
        self._lab = lab

    def get(self, sha256: str) -> None:
        if sha256 not in self._lab.programs:
            self.send_error(404)
            return
        self.finish(pack(self._lab.programs[sha256]))


class _Authority(tornado.web.RequestHandler):
    def initialize(self, lab: ScriptedLab) -> None:
        self._lab = lab

    def get(self) -> None:
        assert "Authorization" not in self.request.headers
        self.finish(self._lab.ca_pem)

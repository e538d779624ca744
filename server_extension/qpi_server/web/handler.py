"""The one REST handler: it takes the body, makes the call and renders what comes back."""

from __future__ import annotations

import asyncio
import copy
import logging
import time
from contextlib import nullcontext, suppress
from http import HTTPStatus
from typing import Any

import msgspec
from jupyter_server.auth.decorator import allow_unauthenticated
from msgspec import Struct
from tornado.iostream import StreamClosedError
from tornado.web import stream_request_body

from qpi_jupyter.core import NotFound, QpiError, Rejected, Unavailable, limited
from qpi_jupyter.wire.connections import ConnectionLost
from qpi_jupyter.wire.people import TIMEZONE_HEADER
from qpi_server.host.connections import CONNECTING
from qpi_server.host.forward import Relay, Upstream
from qpi_server.service import Lab
from qpi_server.service.base import network

from .answers import AnswerOut, send_file
from .bodies import BodySink, announced, check_size, read_body
from .errors import Refuse
from .signed import Signed
from .table import Call, Download, NoQuery, Reply, Route, Stream, parse_query

log = logging.getLogger(__name__)
INLINE_BODY_BYTES = 256 << 10
STREAM_STEP_BYTES = 512 << 10
MAX_ATTEMPTS = 5
"""How often a lab that breaks off is asked again."""
BROKEN_OFF = (
    "The lab went away before it answered, so that it is not known whether this was done. Look before you ask again; "
    "with the same Idempotency-Key a job is submitted only once."
)
STREAM_LIMIT_BYTES = 1 << 50
"""Of the connection, for streamed bodies; the upload has a limit of its own."""


@stream_request_body
class RestHandler(Signed):
    """Answers every route of one address."""

    def initialize(self, routes: dict[str, Route], refuse: Refuse) -> None:
        """Know the routes by method, and how their surface refuses."""
        self._routes, self.refuse = routes, refuse
        self._target: Lab | Upstream | None = None
        self._sink: Any = None
        self._call: Call | None = None
        self._closed: Reply | None = None
        """The answer where no lab is open."""
        self._waiting: asyncio.Task[Reply | None] | None = None
        self._body_came = False

    async def prepare(self) -> None:  # type: ignore[override]
        """Everything that can be refused before the body is read."""
        self._transforms: list[Any] = []  # compressing a large answer would hold up the event loop
        if self.request.method == "OPTIONS":
            await super().prepare()
            self._sink = BodySink(0)
            return
        route = self._routes.get(self.request.method or "")
        if route is None:
            allowed = ", ".join(self._routes)
            raise Rejected(f"This address takes {allowed}, not {self.request.method}.", code="method_not_allowed")
        self._route = route
        if (labs := self.site.labs()) is not None:
            labs.require_elsewhere(self.request.headers.get(CONNECTING))
        await self.sign_in(route.permission)
        await self._find_target()

    async def _find_target(self) -> None:
        """Go where the lab is; to its next place, if it has just left the one we know."""
        while True:
            try:
                target = await self.ownership.target(after=self._target)
            except QpiError as error:
                if self._route.closed is None:
                    raise
                self._closed, self._sink = self._route.closed(error), BodySink()
                return
            try:
                await self._prepare_for(target)
                return
            except ConnectionLost as lost:
                log.debug("the lab's owner: %s", lost)

    async def _prepare_for(self, target: Lab | Upstream) -> None:
        """Make ready to be answered by ``target``: sign in there, and open what takes the body."""
        self._target = target
        if isinstance(target, Lab) and not self._route.waits and self._route.opens is None:
            target.underway.begin(self)
        await self.admit(target, self._route.permission)
        if isinstance(target, Upstream):
            self._expect_stream()
            self._sink = Relay(self, target, own_token=self.visitor is None)
            await self._sink.open()
            return
        if self.principal is None:
            target.strangers.take(network(self.request.remote_ip or ""))
        self._call = Call(
            lab=target, site=self.site, principal=self.principal, path=self.path_kwargs, headers=self.request.headers,
            address=self.request.remote_ip or "",
            here=f"{self.request.protocol}://{self.request.host}{self.settings['base_url']}",
        )  # fmt: skip
        self._call.query = self.read_query(self._route)
        if self._route.opens is not None:
            self._expect_stream()
            self._sink = self._call.sink = await self._route.opens(self._call)
        else:
            check_size(announced(self.request.headers))
            self._sink = BodySink()

    def read_query(self, route: Route) -> Struct | None:
        """The query as the route's struct; a name that it does not know is refused."""
        found = parse_query(self.request.query_arguments, route.query or NoQuery, strict=True)
        return found if route.query is not None else None

    def read_body(self, body: bytes, route: Route) -> Struct | None:
        """The body as the route's struct; a field that it does not know is refused."""
        return read_body(body, route)

    def _expect_stream(self) -> None:
        """Read a body of any size, in large steps."""
        connection: Any = self.request.connection
        connection.set_max_body_size(STREAM_LIMIT_BYTES)  # Jupyter's limit of 512 MB binds streamed bodies, too
        connection.params = copy.copy(connection.params)
        connection.params.chunk_size = connection.stream.read_chunk_size = STREAM_STEP_BYTES

    def data_received(self, chunk: bytes) -> Any:
        """Pass a chunk on; reading stops until it is taken."""
        return self._sink.feed(chunk)

    @allow_unauthenticated
    async def get(self, **_path: str) -> None:
        """Answer, once the whole body is in."""
        self._body_came = True
        for attempt in range(MAX_ATTEMPTS):
            try:
                await self._respond()
                return
            except ConnectionLost as lost:
                if self.request.method != "GET" or attempt + 1 == MAX_ATTEMPTS:
                    raise Unavailable(BROKEN_OFF, code="owner_lost") from lost
                await self._find_target()

    post = put = delete = patch = get

    async def _respond(self) -> None:
        if self._closed is not None:
            await self._send(self._closed)
            return
        if isinstance(self._sink, Relay):
            await self._sink.finish()
            return
        call, route = self._call, self._route
        assert call is not None
        if isinstance(self._sink, BodySink) and route.opens is None:
            body = self._sink.body()
            if len(body) <= INLINE_BODY_BYTES:
                call.body = self.read_body(body, route)
            else:  # taken apart in a thread, while the loop goes on
                call.body = await asyncio.to_thread(self.read_body, body, route)
        if route.waits or route.method == "GET":
            self._waiting = asyncio.ensure_future(self._wait(route, call))
            await asyncio.wait([self._waiting])
            if not self._waiting.cancelled():  # else the asker has gone
                self._waiting.result()
        else:
            await self._send(await route.answer(call))

    async def _wait(self, route: Route, call: Call) -> None:
        """Answer where that takes its time, in the very turn in which there is something to say."""
        who = call.principal
        counted = route.waits and who is not None and limited(who)
        began = time.monotonic()
        async with call.lab.waits.turn(who.name) if counted and who is not None else nullcontext():
            reply = await route.answer(call)
            if isinstance(reply.body, Stream):
                self.set_header("Content-Type", reply.media_type)
                self.set_header("Cache-Control", "no-store")
                self.set_header("X-Accel-Buffering", "no")  # a proxy passes on what comes, as it comes
                with suppress(StreamClosedError):
                    await reply.body.write(AnswerOut(self))
                    await self.finish()
                return
        if who is not None and who.recheck_s is not None and time.monotonic() - began > who.recheck_s:
            await self.admit_again(call.lab, route.permission)
        await self._send(reply)

    async def _send(self, reply: Reply) -> None:
        self.set_status(reply.status)
        if (zone := self._timezone()) is not None:
            self.set_header(TIMEZONE_HEADER, zone)
        if reply.status == HTTPStatus.NO_CONTENT:
            await self.finish()
            return
        self.set_header("Content-Type", reply.media_type)
        for name, value in reply.headers.items():
            self.set_header(name, value)
        if isinstance(reply.body, Download):
            await send_file(self, reply.body)
            return
        assert not isinstance(reply.body, Stream), "only a route that waits streams"
        if reply.status == HTTPStatus.NOT_MODIFIED:
            await self.finish()
            return
        body = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        if reply.sent is None:
            await self.finish(body)
        elif await self._taken(body):
            try:
                await reply.sent()
            except QpiError:  # the answer is out: nobody is there to be told
                log.warning("what follows an answer failed", exc_info=True)

    async def _taken(self, body: bytes) -> bool:
        """Whether the asker's connection has taken the whole body."""
        connection: Any = self.request.connection
        self.set_header("Content-Length", str(len(body)))
        self.write(body)
        try:
            await self.flush()
            gone = connection.stream.closed()  # asked now: some close theirs after a whole answer
            await self.finish()
        except StreamClosedError:
            return False
        return not gone

    def _timezone(self) -> str | None:
        """The clock of the person who asks."""
        call = self._call
        if call is None or call.principal is None:
            return None
        try:
            return call.lab.users.timezone(call.principal)
        except QpiError:  # the lab has closed since: what it has done is told nevertheless
            return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the error. Before the body came, tornado hangs up after it: say so."""
        if not self._body_came:
            self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)

    def on_connection_close(self) -> None:
        """The asker has gone: stop waiting for them, forget what they sent."""
        super().on_connection_close()
        if self._waiting is not None:
            self._waiting.cancel()
        self._abort()

    def on_finish(self) -> None:
        """Let go of what the request held."""
        super().on_finish()
        self._abort()

    def _abort(self) -> None:
        if isinstance(self._target, Lab):
            self._target.underway.end(self)
        if (abort := getattr(self._sink, "abort", None)) is not None:
            abort()


class UnknownHandler(Signed):
    """Every address of a surface that no route has."""

    def initialize(self, message: str, refuse: Refuse) -> None:
        """Know what the surface says there; the message may name the ``{path}``."""
        self._message, self.refuse = message, refuse

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse."""
        raise NotFound(self._message.format(path=self.request.path))

"""The one REST handler: it signs in, authorises, takes the body, makes the call and renders what comes back."""

from __future__ import annotations

import asyncio
import copy
import logging
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from msgspec import Struct
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, stream_request_body

from qpi_jupyter.core.access import Permission, Principal
from qpi_jupyter.core.errors import NotFound, QpiError, Rejected, TooLarge, Unavailable
from qpi_jupyter.wire.rest import MAX_BODY_BYTES, decode
from qpi_server.forward import Relay, Upstream, UpstreamLost
from qpi_server.owner import Ownership

from .download import send_file
from .errors import body_of, from_exception, headers_of, status_of
from .identity import Visitor, credential, is_lab_token, is_secret, jupyter_visitor, local_owner, require
from .table import Call, Download, Reply, Route, Site, Stream, parse_query

if TYPE_CHECKING:
    from qpi_server.service import Lab

log = logging.getLogger(__name__)
SETTING = "qpi"
INLINE_BODY_BYTES = 256 << 10
STREAM_STEP_BYTES = 512 << 10
STREAM_LIMIT_BYTES = 1 << 50
"""Of the connection, for streamed bodies; the upload has a limit of its own."""


class Signed(JupyterHandler):
    """Knows who asks, and answers errors as JSON."""

    sent_token: str | None = None
    """The credential in the header. (Not ``token``: that is Jupyter's own, which it is compared with.)"""
    visitor: Visitor | None = None
    """Whom this server knows by itself, without the lab."""
    principal: Principal | None = None

    @property
    def site(self) -> Site:
        """The server around this request."""
        site: Site = self.settings[SETTING]
        return site

    @property
    def ownership(self) -> Ownership:
        """Where the lab is: in this process, or in another one."""
        ownership: Ownership = self.settings[SETTING].ownership
        return ownership

    async def sign_in(self, permission: Permission) -> None:
        """Find out who asks, as far as this server can tell; a lab token is for `admit`."""
        self.sent_token = credential(self)
        if is_secret(self.sent_token, self.settings[SETTING].secret):
            self._no_jupyter_user()
            self.visitor = Visitor(principal=local_owner())
        elif is_lab_token(self.sent_token) or permission is Permission.SIGN_IN:
            self._no_jupyter_user()
        else:
            await JupyterHandler.prepare(self)
            if not self.check_origin():
                raise HTTPError(404)
            self.visitor = await jupyter_visitor(self)

    def _no_jupyter_user(self) -> None:
        # A credential in a header needs neither Jupyter's user nor its XSRF check: no page can send one unasked. Nor
        # does one in the body of a sign-in, which is answered with a token and sets no cookie.
        self.current_user = self._jupyter_current_user = None
        self._token_authenticated = True

    async def admit(self, seat: Lab | Upstream, permission: Permission) -> None:
        """Let the request in, or raise. A lab token is judged where the lab is; so is what the lab adds to a person."""
        if isinstance(seat, Upstream):
            if self.visitor is None and is_lab_token(self.sent_token):
                return
            self.principal = self.visitor.principal if self.visitor is not None else None
        elif self.visitor is not None:
            self.principal = await seat.people.seen(self.visitor.principal, source=self.visitor.source)
        elif self.sent_token is not None and is_lab_token(self.sent_token):
            self.principal = await seat.people.authenticate(self.sent_token)
        require(self.principal, permission)

    @property
    def content_security_policy(self) -> str:
        """Nothing here is a page."""
        return "default-src 'none'; frame-ancestors 'none'"

    def compute_etag(self) -> str | None:
        """No hash over every answer: a download brings its own."""
        return None

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Keep the log for what nobody foresaw."""
        if not isinstance(value, QpiError):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the one error body."""
        raised = kwargs["exc_info"][1] if "exc_info" in kwargs else HTTPError(status_code)
        error = from_exception(raised)
        status = raised.status_code if isinstance(raised, HTTPError) else status_of(error)
        self.set_status(status)
        for name, value in headers_of(error).items():
            self.set_header(name, value)
        self.set_header("Content-Type", "application/json")
        self.finish(self.error_body(error, status))

    def error_body(self, error: QpiError, status: int) -> bytes:
        """What a refusal says."""
        return body_of(error)


class BodySink:
    """Holds a small body; one over the limit is read to its end and forgotten."""

    def __init__(self, limit: int = MAX_BODY_BYTES) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        self._size += len(chunk)
        if self._size <= self._limit:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def body(self) -> bytes:
        """All of it; `TooLarge` if it was."""
        check_size(self._size, self._limit)
        return b"".join(self._chunks)


async def _decoded(body: bytes, kind: type[Struct]) -> Struct:
    """The body as its struct; a large one is taken apart in a thread, while the loop goes on."""
    if len(body) <= INLINE_BODY_BYTES:
        return decode(body, kind)
    return await asyncio.to_thread(decode, body, kind)


def check_size(size: int, limit: int = MAX_BODY_BYTES) -> None:
    """Refuse a body over the limit."""
    if size > limit:
        raise TooLarge(f"The request has {size:,} bytes; the limit is {limit:,}.", code="body_too_large")


@stream_request_body
class RestHandler(Signed):
    """Answers every route of one address."""

    def initialize(self, routes: dict[str, Route]) -> None:
        """Know the routes by method."""
        self._routes = routes
        self._seat: Lab | Upstream | None = None
        self._sink: Any = None
        self._call: Call | None = None
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
            raise Rejected(f"{self.request.method} does not go here; {allowed} does.", code="method_not_allowed")
        self._route = route
        await self.sign_in(route.permission)
        await self._find_seat()

    async def _find_seat(self) -> None:
        """Go where the lab is; to its next place, if it has just left the one we know."""
        while True:
            try:
                await self._sit(await self.ownership.seat(after=self._seat))
                return
            except UpstreamLost as lost:
                log.debug("the lab's owner: %s", lost)

    async def _sit(self, seat: Lab | Upstream) -> None:
        """Make ready to be answered by ``seat``: sign in there, and open what takes the body."""
        self._seat = seat
        await self.admit(seat, self._route.permission)
        if isinstance(seat, Upstream):
            self._expect_stream()
            self._sink = Relay(self, seat, own_token=self.visitor is None)
            await self._sink.open()
            return
        self._call = Call(
            lab=seat, site=self.site, principal=self.principal, path=self.path_kwargs, headers=self.request.headers,
            address=self.request.remote_ip or "",
        )  # fmt: skip
        if self._route.query is not None:
            self._call.query = parse_query(self.request.query_arguments, self._route.query)
        if self._route.opens is not None:
            self._expect_stream()
            self._sink = self._call.sink = await self._route.opens(self._call)
        else:
            check_size(int(self.request.headers.get("Content-Length") or 0))
            self._sink = BodySink()

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
        while True:
            try:
                await self._respond()
                return
            except UpstreamLost as lost:
                if self.request.method != "GET":
                    raise Unavailable("The lab's owner went away; ask again in a moment.", code="owner_lost") from lost
                await self._find_seat()

    post = put = delete = patch = get

    async def _respond(self) -> None:
        if isinstance(self._sink, Relay):
            await self._sink.finish()
            return
        call, route = self._call, self._route
        assert call is not None
        if isinstance(self._sink, BodySink):
            body = self._sink.body()
            if route.body is not None:
                call.body = await _decoded(body, route.body)
        if route.waits:
            self._waiting = asyncio.ensure_future(self._wait(route, call))
            await asyncio.wait([self._waiting])
            if self._waiting.cancelled():  # the asker has gone
                return
            if (reply := self._waiting.result()) is not None:
                await self._send(reply)
        else:
            await self._send(await route.run(call))

    async def _wait(self, route: Route, call: Call) -> Reply | None:
        """The answer of a route that takes its time; None where it has been sent as it came."""
        reply = await route.run(call)
        if not isinstance(reply.body, Stream):
            return reply
        self.set_header("Content-Type", reply.media_type)
        self.set_header("Cache-Control", "no-store")
        self.set_header("X-Accel-Buffering", "no")  # a proxy passes on what comes, as it comes
        with suppress(StreamClosedError):
            async for chunk in reply.body.chunks:
                self.write(chunk)
                await self.flush()
            await self.finish()
        return None

    async def _send(self, reply: Reply) -> None:
        self.set_status(reply.status)
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
        await self.finish(reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body))

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
        if (abort := getattr(self._sink, "abort", None)) is not None:
            abort()


class UnknownHandler(Signed):
    """Every address under ``qpi/`` that no route has."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse."""
        raise NotFound(f"There is nothing at {self.request.path}; GET qpi/v1/openapi.json lists what there is.")

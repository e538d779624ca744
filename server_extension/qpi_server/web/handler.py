"""The one REST handler: it signs in, authorises, takes the body, makes the call and renders what comes back."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from http import HTTPStatus
from typing import Any

import msgspec
from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.prometheus.log_functions import prometheus_log_method
from msgspec import Struct
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, stream_request_body

from qpi_jupyter.core import NotFound, Permission, Principal, QpiError, Rejected, TooLarge, Unavailable, limited
from qpi_jupyter.wire.rest import MAX_BODY_BYTES, decode
from qpi_server.host.forward import Relay, Upstream, UpstreamLost
from qpi_server.host.owner import Ownership
from qpi_server.service import Lab
from qpi_server.service.base import network

from .download import send_file
from .errors import body_of, from_exception, headers_of, reason_of, status_of
from .identity import (
    Visitor,
    credential,
    has_jupyter_token,
    host_refused,
    is_lab_token,
    is_secret,
    jupyter_visitor,
    local_owner,
    page_refused,
    require,
)
from .stream import AnswerOut
from .table import Call, Download, NoQuery, Reply, Route, Site, Stream, parse_query

log = logging.getLogger(__name__)
SETTING = "qpi"
INLINE_BODY_BYTES = 256 << 10
EMPTY_BODIES = (b"", b"{}", b"null")
"""What clients send where there is nothing to send."""
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
        elif has_jupyter_token(self):
            self._require_host()
            self._no_jupyter_user()
            self.set_cors_headers()
            self.visitor = Visitor(principal=local_owner())
        else:
            await self._ask_jupyter()
            self.visitor = await jupyter_visitor(self)

    async def _ask_jupyter(self) -> None:
        """Let Jupyter find its user; what it refuses is said in words that lead on."""
        self._require_host()
        try:
            await JupyterHandler.prepare(self)
            if not self.check_origin():
                raise HTTPError(404)
        except HTTPError as error:
            if self.current_user is None:
                require(None, Permission.PROFILE_EDIT, sent=self._sent())
            raise page_refused(error) from error

    def _require_host(self) -> None:
        if not self.check_host():
            self.current_user = self._jupyter_current_user = None
            raise host_refused(self.request.host)

    def _sent(self) -> bool:
        """Whether a token came with the request."""
        return self.sent_token is not None or "token" in self.request.query_arguments

    def _no_jupyter_user(self) -> None:
        # A credential in a header needs neither Jupyter's user nor its XSRF check: no page can send one unasked. Nor
        # does one in the body of a sign-in, which is answered with a token and sets no cookie.
        self.current_user = self._jupyter_current_user = None
        self._token_authenticated = True

    async def admit(self, target: Lab | Upstream, permission: Permission) -> None:
        """Let the request in, or raise. A lab token is judged where the lab is; so is what the lab adds to a person."""
        if isinstance(target, Upstream):
            if self.visitor is None and is_lab_token(self.sent_token):
                return
            self.principal = self.visitor.principal if self.visitor is not None else None
        elif self.visitor is not None:
            self.principal = await target.authenticator.admit(self.visitor.principal, source=self.visitor.source)
        elif self.sent_token is not None and is_lab_token(self.sent_token):
            self.principal = await target.authenticator.authenticate(self.sent_token)
        require(self.principal, permission, sent=self._sent())

    @property
    def content_security_policy(self) -> str:
        """Nothing here is a page."""
        return "default-src 'none'; frame-ancestors 'none'"

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """A part of the address as text."""
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise Rejected("The address is not UTF-8.", code="bad_address") from error

    def compute_etag(self) -> str | None:
        """No hash over every answer: a download brings its own."""
        return None

    def _log(self) -> None:
        """Jupyter's line in the log; what went well is put into words only for who debugs."""
        server = self.serverapp
        if server is None or server.log_level <= logging.DEBUG or self.get_status() >= 300:
            super()._log()
        elif server.record_http_request_metrics:
            prometheus_log_method(self)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Keep the log for what nobody foresaw."""
        if not isinstance(value, QpiError):
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with the one error body."""
        raised = kwargs["exc_info"][1] if "exc_info" in kwargs else HTTPError(status_code)
        error = from_exception(raised)
        status = raised.status_code if isinstance(raised, HTTPError) else status_of(error)
        self.set_status(status, reason_of(error))
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


def announced(headers: Mapping[str, str]) -> int:
    """How long the body is said to be.

    Raises
    ------
    Rejected
        that is not a length.
    """
    text = headers.get("Content-Length", "0").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Rejected("The header Content-Length must be a whole number.", code="bad_request")
    return int(text)


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
            except UpstreamLost as lost:
                log.debug("the lab's owner: %s", lost)

    async def _prepare_for(self, target: Lab | Upstream) -> None:
        """Make ready to be answered by ``target``: sign in there, and open what takes the body."""
        self._target = target
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
        if route.body is not None:
            return decode(body, route.body)
        if body.strip() not in EMPTY_BODIES:
            raise Rejected(f"{route.method} {route.path} takes no body.", code="bad_request")
        return None

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
        await self._send(reply)

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

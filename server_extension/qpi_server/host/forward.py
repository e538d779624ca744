"""What a forwarder does: reaching the lab where another process owns it: kept connections, streamed both ways."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, Self, TypeVar
from urllib.parse import unquote_plus, urlencode, urlsplit

import msgspec
from tornado.http1connection import HTTP1Connection
from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketHandler, websocket_connect

from qpi_jupyter.core import QpiError, Unavailable
from qpi_jupyter.wire import sse
from qpi_jupyter.wire.addresses import is_loopback
from qpi_jupyter.wire.connections import PARAMETERS, Answer, ConnectionLost, Connections

CONNECT_S = 5.0
GOING_AWAY = 1012
"""With which code a WebSocket is closed whose other end should come again."""
MAX_ANSWER_BYTES = 16 << 20
"""What this server itself takes of an answer."""
_HOP_BY_HOP = frozenset(
    ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
     "upgrade"]
)  # fmt: skip
_NOT_PASSED_ON = _HOP_BY_HOP | {"host", "cookie", "x-xsrftoken", "origin", "referer", "expect"}
_CREDENTIALS = frozenset({"authorization", "x-api-token"})
_PASSED_TO_ELSEWHERE = frozenset(
    ["accept", "accept-encoding", "accept-language", "content-encoding", "content-length", "content-type",
     "idempotency-key", "if-match", "if-modified-since", "if-none-match", "if-range", "last-event-id", "range",
     "user-agent", "x-qpi-sha256", "x-request-id"]
)  # fmt: skip
"""To a lab elsewhere go only headers that a lab reads: what else comes, a proxy's sign-in say, is nobody's there."""
_PASSED_BACK = frozenset(
    ["accept-ranges", "content-disposition", "content-encoding", "content-length", "content-range", "content-type",
     "date", "etag", "last-modified", "qpi-timezone", "retry-after", "server", "vary", "www-authenticate",
     "x-accel-buffering", "x-qpi-sha256", "x-request-id"]
)  # fmt: skip
"""What an answer brings. The rest is this server's own word to a browser: cookies, policies, who may read."""
_READERS = "Access-Control-"
_JUPYTERS = ("token", "_xsrf")
"""Parameters of an address that are for this server."""

SANDBOX = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""No answer of another server is a page of this one."""

T = TypeVar("T")


class Upstream:
    """A server elsewhere that owns the lab: its address (with its base path), our credential there, and the
    connections to it."""

    def __init__(self, url: str, token: str, *, context: ssl.SSLContext | None = None) -> None:
        self.url = url.rstrip("/") + "/"
        self.token = token
        self.connections = Connections(self.url, context)
        self.personal = False
        """Whether the credential is a person's own: it serves nobody else, and no other token goes there."""
        self.following: set[IOStream] = set()
        """Connections on which events are followed."""

    @classmethod
    def to(cls, url: str, token: str, *, ca_file: str | None = None, insecure: bool = False) -> Self:
        """The way to a lab whose address a person gave.

        Parameters
        ----------
        ca_file
            certificates to trust instead of the system's.
        insecure
            let the token travel over plain http to another machine.

        Raises
        ------
        ValueError
            no address, or the token would travel in the open; with words for that person.
        OSError
            ``ca_file`` cannot be read.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not the address of a lab: it begins with https:// or http://.")
        if parts.scheme == "http" and not is_loopback(parts.hostname) and not insecure:
            raise ValueError(
                f"{url} is plain http to another machine: anybody on the way could read the token. Use https, or set "
                "QPIServer.insecure."
            )
        context = ssl.create_default_context(cafile=ca_file or None) if parts.scheme == "https" else None
        return cls(url, token, context=context)

    def close(self) -> None:
        """Drop the idle connections and the events that are followed; what else is in use ends with its request."""
        self.connections.close()
        for stream in list(self.following):
            stream.close()

    async def answers(self) -> bool:
        """Whether somebody takes connections there."""
        try:
            self.connections.give_back(await self.connections.connect())
        except ConnectionLost:
            return False
        return True

    async def get(self, path: str, kind: type[T], **query: Any) -> T:
        """``GET path`` as ourselves.

        Raises
        ------
        ConnectionLost
            the connection broke.
        QpiError
            the lab's error.
        """
        asked = self.connections.ask("GET", _target(path, query), self._headers(), limit=MAX_ANSWER_BYTES)
        return _parsed(await asked, kind)

    async def follow(self, path: str, **query: Any) -> AsyncGenerator[dict[bytes, bytes]]:
        """The fields of the server-sent events of ``GET path``, until they end or break off.

        Raises
        ------
        ConnectionLost
            nobody answers there.
        QpiError
            the lab's error.
        """
        answer, parser = _Followed(), sse.Parser()
        stream = await self.connections.connect()
        connection = HTTP1Connection(stream, True, PARAMETERS)
        self.following.add(stream)
        try:
            head = RequestStartLine("GET", self.connections.path + _target(path, query), "")
            headers = {"Host": self.connections.netloc, "Accept": sse.MEDIA_TYPE, **self._headers()}
            connection.write_headers(head, HTTPHeaders(headers))
            connection.finish()
            reading = asyncio.ensure_future(connection.read_response(answer))
            reading.add_done_callback(lambda task: answer.end(task.cancelled() or task.exception()))
            while chunk := await answer.chunks.get():
                for message in parser.feed(chunk):
                    yield message
        except StreamClosedError as error:
            raise ConnectionLost(str(error)) from error
        finally:
            self.following.discard(stream)
            stream.close()
        if not answer.status:
            raise ConnectionLost(f"{self.url} broke off")
        if answer.status >= 400:
            _parsed(answer, dict)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def websocket(self, path: str, token: str, *, max_bytes: int) -> WebSocketClientConnection:
        """A WebSocket to the lab, signed in with ``token``."""
        request = HTTPRequest(
            f"ws{self.url.removeprefix('http')}{path}",
            headers={"Authorization": f"Bearer {token}"},
            ssl_options=self.connections.context,
            connect_timeout=CONNECT_S,
        )
        return await websocket_connect(request, max_message_size=max_bytes)


async def pass_on(far: WebSocketClientConnection, near: WebSocketHandler) -> None:
    """Whatever comes from the lab's owner, until it or the asker ends."""
    with suppress(WebSocketClosedError):
        while (message := await far.read_message()) is not None:
            await near.write_message(message)
    near.close(far.close_code or GOING_AWAY, far.close_reason)


def _target(path: str, query: Mapping[str, Any]) -> str:
    return f"/{path}?{urlencode(query)}" if query else f"/{path}"


def _parsed(answer: Answer, kind: type[T]) -> T:
    try:
        if answer.status >= 400:
            raise QpiError.from_dict(msgspec.json.decode(answer.body, type=dict[str, dict[str, Any]])["error"])
        return msgspec.json.decode(answer.body, type=kind)
    except (msgspec.MsgspecError, KeyError) as error:
        raise Unavailable(f"The lab's owner answered {answer.status} with something else.") from error


def without_jupyters(target: str) -> str:
    """An address without the parameters that open this server, which nobody else gets to see."""
    path, mark, query = target.partition("?")
    kept = [part for part in query.split("&") if unquote_plus(part.partition("=")[0]) not in _JUPYTERS]
    return f"{path}{mark}{'&'.join(kept)}" if kept != [""] and kept else path


def _kept_by_browsers(said: str) -> str:
    """How long a browser keeps an answer: never unasked, for another lab may be shown next."""
    return said if "no-store" in said or "no-cache" in said else "no-cache"


class _Followed(Answer):
    """An endless answer, as it comes; a refusal, in memory."""

    def __init__(self) -> None:
        super().__init__(MAX_ANSWER_BYTES)
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()

    def data_received(self, chunk: bytes) -> None:
        if self.status >= 400:
            super().data_received(chunk)
        else:
            self.chunks.put_nowait(chunk)

    def end(self, _reason: object) -> None:
        """There is no more."""
        self.chunks.put_nowait(b"")


class Relay:
    """Passes one request on and its answer back, chunk by chunk, each side no faster than the other.

    ``own_token`` leaves the request's own credential in it; otherwise ours takes its place, because this server has
    found out who asks.
    """

    def __init__(self, handler: RequestHandler, upstream: Upstream, *, own_token: bool) -> None:
        self._handler = handler
        self._upstream = upstream
        self._own_token = own_token
        self._stream: IOStream | None = None
        self._answer = _Passed(handler)

    async def open(self) -> None:
        """Send the request's head; `ConnectionLost` if nobody is there."""
        self._stream = await self._upstream.connections.connect()
        self._connection = HTTP1Connection(self._stream, True, PARAMETERS)
        request = self._handler.request
        site = self._handler.settings["base_url"]
        target = f"{self._upstream.connections.path}/{without_jupyters((request.uri or '/')[len(site) :])}"
        try:
            self._connection.write_headers(RequestStartLine(request.method or "GET", target, ""), self._headers())
        except StreamClosedError as error:
            raise ConnectionLost(str(error)) from error
        self._reading = asyncio.ensure_future(self._connection.read_response(self._answer))
        # an aborted request is not finished, so nobody else asks how its reading ended
        self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())

    def _headers(self) -> HTTPHeaders:
        dropped = _NOT_PASSED_ON if self._own_token else _NOT_PASSED_ON | _CREDENTIALS
        headers = HTTPHeaders({"Host": self._upstream.connections.netloc})
        for name, value in self._handler.request.headers.get_all():
            known = not self._upstream.personal or name.lower() in _PASSED_TO_ELSEWHERE
            if known and name.lower() not in dropped:
                headers.add(name, value)
        if not self._own_token:
            headers["Authorization"] = f"Bearer {self._upstream.token}"
        return headers

    async def feed(self, chunk: bytes) -> None:
        """Pass a chunk of the body on."""
        with suppress(StreamClosedError):  # the answer, or its absence, says why
            await self._connection.write(chunk)

    async def finish(self) -> None:
        """End the body and wait until the answer has been passed back.

        Raises
        ------
        ConnectionLost
            the connection broke before the answer began.
        """
        assert self._stream is not None
        self._answer.asked.set()
        try:
            self._connection.finish()
            whole = await self._reading
        except StreamClosedError:
            whole = False
        except asyncio.CancelledError:
            if self._stream is not None:
                raise
            return  # `abort`: the asker has gone
        if whole and self._answer.complete and not self._answer.last:
            stream, self._stream = self._stream, None
            self._upstream.connections.give_back(stream)
        if self._answer.started:
            if not self._answer.complete:  # a cut answer must look cut
                self._handler.request.connection.close()  # type: ignore[union-attr]
            return
        raise ConnectionLost(f"{self._upstream.url} broke off")

    def abort(self) -> None:
        """Break off; after a whole answer there is nothing to break off."""
        if self._stream is not None and not self._answer.complete:
            self._reading.cancel()
            self._stream.close()
            self._stream = None


class _Passed(HTTPMessageDelegate):
    """Writes an answer into a handler's, once ``asked`` says that the whole request has come.

    An answer that is finished before its request would make tornado hang up on the asker.
    """

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self.asked = asyncio.Event()
        self.started = self.complete = self.last = False

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        assert isinstance(start_line, ResponseStartLine)
        if start_line.code < 200:
            return
        await self.asked.wait()
        self.started = True
        self.last = headers.get("Connection", "").lower() == "close"
        handler = self._handler
        own = [(name, value) for name, value in handler._headers.get_all() if name.startswith(_READERS)]  # noqa: SLF001
        handler.clear()
        handler.set_status(start_line.code, start_line.reason)
        handler.set_header("Content-Security-Policy", SANDBOX)
        handler.set_header("Cache-Control", _kept_by_browsers(headers.get("Cache-Control", "")))
        for name, value in own:
            handler.set_header(name, value)
        passed = [(name, value) for name, value in headers.get_all() if name.lower() in _PASSED_BACK]
        for name, _ in passed:
            handler.clear_header(name)
        for name, value in passed:
            handler.add_header(name, value)

    async def data_received(self, chunk: bytes) -> None:
        with suppress(StreamClosedError):  # the asker has gone: `Relay.abort` follows
            self._handler.write(chunk)
            await self._handler.flush()

    def finish(self) -> None:
        if self.started:
            self.complete = True
            if not self._handler._finished:  # noqa: SLF001  # tornado has no other word for it
                self._handler.finish()

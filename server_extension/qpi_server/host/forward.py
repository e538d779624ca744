"""What a forwarder does: reaching the lab where another process owns it: kept connections, streamed both ways."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httpclient import HTTPRequest
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient
from tornado.web import RequestHandler
from tornado.websocket import WebSocketClientConnection, websocket_connect

from qpi_jupyter.core import QpiError, Unavailable
from qpi_jupyter.wire import sse

CONNECT_S = 5.0
MAX_IDLE = 16
READ_BYTES = 512 << 10
_PARAMS = HTTP1ConnectionParameters(chunk_size=READ_BYTES, max_body_size=1 << 60)
_HOP_BY_HOP = frozenset(
    ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding",
     "upgrade"]
)  # fmt: skip
_NOT_PASSED_ON = _HOP_BY_HOP | {"host", "cookie", "x-xsrftoken", "origin", "referer", "expect"}
_CREDENTIALS = frozenset({"authorization", "x-api-token"})

T = TypeVar("T")


class UpstreamLost(Exception):
    """The connection broke before an answer began."""


class Upstream:
    """A server elsewhere that owns the lab: its address (with its base path) and our credential there.

    Connections are kept and used again; a connection carries one request at a time.
    """

    def __init__(self, url: str, token: str, *, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"{url!r} is no http or https address")
        self.url = url.rstrip("/") + "/"
        self.token = token
        self.context = context or (ssl.create_default_context() if parts.scheme == "https" else None)
        self.host: str = parts.hostname
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.netloc = parts.netloc
        self.base_path = parts.path.rstrip("/") + "/"
        self._idle: deque[IOStream] = deque()
        self._client = TCPClient()
        self._closed = False

    async def connect(self) -> IOStream:
        """A connection that nobody else uses; `give_back` it after a whole answer.

        Raises
        ------
        UpstreamLost
            nobody answers there.
        """
        while self._idle:
            stream = self._idle.pop()
            if not stream.closed():
                stream.set_close_callback(None)
                return stream
        try:
            async with asyncio.timeout(CONNECT_S):
                stream = await self._client.connect(self.host, self.port, ssl_options=self.context)
        except (OSError, TimeoutError, StreamClosedError) as error:
            raise UpstreamLost(f"{self.url} does not answer: {error}") from error
        stream.set_nodelay(True)
        stream.read_chunk_size = READ_BYTES
        return stream

    def give_back(self, stream: IOStream) -> None:
        """Keep a connection for the next request."""
        if self._closed or len(self._idle) >= MAX_IDLE:
            stream.close()
        elif not stream.closed():
            stream.set_close_callback(lambda: self._idle.remove(stream) if stream in self._idle else None)
            self._idle.append(stream)

    def close(self) -> None:
        """Drop the idle connections; those in use end with their request."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()

    async def get(self, path: str, kind: type[T], **query: Any) -> T:
        """``GET path`` as ourselves.

        Raises
        ------
        UpstreamLost
            the connection broke.
        QpiError
            the lab's error.
        """
        answer = _Collected()
        stream = await self.connect()
        connection = HTTP1Connection(stream, True, _PARAMS)
        try:
            self._ask(connection, path, query)
            whole = await connection.read_response(answer)
        except StreamClosedError as error:
            raise UpstreamLost(str(error)) from error
        except BaseException:
            stream.close()
            raise
        if not answer.complete:
            raise UpstreamLost(f"{self.url} broke off")
        if whole:
            self.give_back(stream)
        return answer.parsed(kind)

    async def follow(self, path: str, **query: Any) -> AsyncGenerator[dict[bytes, bytes]]:
        """The fields of the server-sent events of ``GET path``, until they end or break off.

        Raises
        ------
        UpstreamLost
            nobody answers there.
        QpiError
            the lab's error.
        """
        answer, parser = _Followed(), sse.Parser()
        stream = await self.connect()
        connection = HTTP1Connection(stream, True, _PARAMS)
        try:
            self._ask(connection, path, query, Accept=sse.MEDIA_TYPE)
            reading = asyncio.ensure_future(connection.read_response(answer))
            reading.add_done_callback(lambda task: answer.end(task.cancelled() or task.exception()))
            while chunk := await answer.chunks.get():
                for message in parser.feed(chunk):
                    yield message
        except StreamClosedError as error:
            raise UpstreamLost(str(error)) from error
        finally:
            stream.close()
        if not answer.status:
            raise UpstreamLost(f"{self.url} broke off")
        if answer.status >= 400:
            answer.parsed(dict)

    def _ask(self, connection: HTTP1Connection, path: str, query: Mapping[str, Any], **more: str) -> None:
        target = f"{self.base_path}{path}" + (f"?{urlencode(query)}" if query else "")
        headers = HTTPHeaders({"Host": self.netloc, "Authorization": f"Bearer {self.token}", **more})
        connection.write_headers(RequestStartLine("GET", target, ""), headers)
        connection.finish()

    async def websocket(self, path: str, token: str, *, max_bytes: int) -> WebSocketClientConnection:
        """A WebSocket to the lab, signed in with ``token``."""
        scheme = "wss" if self.context is not None else "ws"
        request = HTTPRequest(
            f"{scheme}://{self.netloc}{self.base_path}{path}",
            headers={"Authorization": f"Bearer {token}"},
            ssl_options=self.context,
            connect_timeout=CONNECT_S,
        )
        return await websocket_connect(request, max_message_size=max_bytes)


class _Collected(HTTPMessageDelegate):
    """A small answer, in memory."""

    def __init__(self) -> None:
        self.status = 0
        self.complete = False
        self._body = bytearray()

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        assert isinstance(start_line, ResponseStartLine)
        self.status = start_line.code

    def data_received(self, chunk: bytes) -> None:
        self._body += chunk

    def finish(self) -> None:
        self.complete = True

    def parsed(self, kind: type[T]) -> T:
        try:
            if self.status >= 400:
                raw = msgspec.json.decode(bytes(self._body), type=dict[str, dict[str, Any]])
                raise QpiError.from_dict(raw["error"])
            return msgspec.json.decode(bytes(self._body), type=kind)
        except (msgspec.MsgspecError, KeyError) as error:
            raise Unavailable(f"The lab's owner answered {self.status} with something else.") from error


class _Followed(_Collected):
    """An endless answer, as it comes; a refusal, in memory."""

    def __init__(self) -> None:
        super().__init__()
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
        """Send the request's head; `UpstreamLost` if nobody is there."""
        self._stream = await self._upstream.connect()
        self._connection = HTTP1Connection(self._stream, True, _PARAMS)
        request = self._handler.request
        site = self._handler.settings["base_url"]
        target = self._upstream.base_path + (request.uri or "/")[len(site) :]
        try:
            self._connection.write_headers(RequestStartLine(request.method or "GET", target, ""), self._headers())
        except StreamClosedError as error:
            raise UpstreamLost(str(error)) from error
        self._reading = asyncio.ensure_future(self._connection.read_response(self._answer))
        # an aborted request is not finished, so nobody else asks how its reading ended
        self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())

    def _headers(self) -> HTTPHeaders:
        dropped = _NOT_PASSED_ON if self._own_token else _NOT_PASSED_ON | _CREDENTIALS
        headers = HTTPHeaders({"Host": self._upstream.netloc})
        for name, value in self._handler.request.headers.get_all():
            if name.lower() not in dropped:
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
        UpstreamLost
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
            self._upstream.give_back(stream)
        if self._answer.started:
            if not self._answer.complete:  # a cut answer must look cut
                self._handler.request.connection.close()  # type: ignore[union-attr]
            return
        raise UpstreamLost(f"{self._upstream.url} broke off")

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
        handler.clear()
        handler.set_status(start_line.code, start_line.reason)
        for name in set(headers):
            if name.lower() not in _HOP_BY_HOP:
                handler.clear_header(name)
        for name, value in headers.get_all():
            if name.lower() not in _HOP_BY_HOP:
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

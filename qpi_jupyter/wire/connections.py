"""HTTP to a lab from a server or a driver: kept connections, each for one request at a time, on tornado's streams."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import HTTPHeaders, HTTPMessageDelegate, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

MAX_IDLE = 16
IDLE_S = 5.0
"""How long a connection is kept: what lies between may forget a silent one without a word."""
READ_BYTES = 512 << 10
PARAMETERS = HTTP1ConnectionParameters(chunk_size=READ_BYTES, max_body_size=1 << 60)


class ConnectionLost(Exception):
    """Nobody answers, or the connection broke before there was a whole answer; the cause says how."""


class Connections:
    """The connections to one server.

    Parameters
    ----------
    url
        its address; a path is kept, without its last slash.
    connect_s, send_s, answer_s
        how long it may take to connect, to take one piece of a body, and to answer.
    """

    def __init__(
        self,
        url: str,
        context: ssl.SSLContext | None,
        *,
        connect_s: float = 5.0,
        send_s: float = 60.0,
        answer_s: float = 300.0,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"{url!r} is no http or https address")
        if context is None and parts.scheme == "https":
            context = ssl.create_default_context()
        self.context = context if parts.scheme == "https" else None
        self.netloc, self.path = parts.netloc, parts.path.rstrip("/")
        self._url, self._host = url, parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._connect_s, self._send_s, self._answer_s = connect_s, send_s, answer_s
        self._idle: deque[tuple[IOStream, float]] = deque()
        self._client = TCPClient()
        self._closed = False

    async def connect(self) -> IOStream:
        """A connection that nobody else uses; `give_back` it after a whole answer.

        Raises
        ------
        ConnectionLost
            nobody answers there.
        """
        while self._idle:
            stream, since = self._idle.pop()
            stream.set_close_callback(None)
            if time.monotonic() - since > IDLE_S:
                stream.close()
            elif not stream.closed():
                return stream
        try:
            async with asyncio.timeout(self._connect_s):
                stream = await self._client.connect(self._host, self._port, ssl_options=self.context)
        except (OSError, TimeoutError, StreamClosedError) as error:
            raise ConnectionLost(f"{self._url} does not answer: {error}") from error
        stream.set_nodelay(True)
        stream.read_chunk_size = READ_BYTES
        return stream

    def give_back(self, stream: IOStream) -> None:
        """Keep a connection for the next request."""
        if self._closed or len(self._idle) >= MAX_IDLE:
            stream.close()
        elif not stream.closed():
            kept = stream, time.monotonic()
            stream.set_close_callback(lambda: self._idle.remove(kept) if kept in self._idle else None)
            self._idle.append(kept)

    def close(self) -> None:
        """Drop the idle connections; those in use end with their request."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].close()

    async def ask(
        self, method: str, target: str, headers: Mapping[str, str], body: AsyncIterator[bytes] | None = None, *,
        limit: int | None = None,
    ) -> Answer:  # fmt: skip
        """The whole answer to a request for ``target``, an address below ours.

        Parameters
        ----------
        body
            its length is in ``headers``. An answer that comes before its end is taken, too.
        limit
            how much of a long answer is kept.

        Raises
        ------
        ConnectionLost
            there was none.
        """
        stream, answer, whole = await self.connect(), Answer(limit), False
        connection = HTTP1Connection(stream, True, PARAMETERS)
        head = RequestStartLine(method, f"{self.path}{target}", "")
        connection.write_headers(head, HTTPHeaders({"Host": self.netloc, **headers}))
        reading = asyncio.ensure_future(connection.read_response(answer))
        reading.add_done_callback(lambda task: task.cancelled() or task.exception())
        try:
            with suppress(StreamClosedError):  # the answer, or its absence, says why
                if body is not None:
                    async for chunk in body:
                        async with asyncio.timeout(self._send_s):
                            await connection.write(chunk)
                connection.finish()
            async with asyncio.timeout(self._answer_s):
                whole = await reading and answer.complete and not answer.last
        except (StreamClosedError, TimeoutError) as error:
            raise ConnectionLost(f"{self._url} broke off: {error}") from error
        finally:
            if whole:
                self.give_back(stream)
            else:
                reading.cancel()
                stream.close()
        if not answer.complete:
            raise ConnectionLost(f"{self._url} broke off")
        return answer


class Answer(HTTPMessageDelegate):
    """What a server answered, in memory; of an answer that is longer than ``limit``, no more than its beginning."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self.status, self.reason, self.body = 0, "", bytearray()
        self.complete = self.last = False

    def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        assert isinstance(start_line, ResponseStartLine)
        self.status, self.reason = start_line.code, start_line.reason
        self.last = headers.get("Connection", "").lower() == "close"

    def data_received(self, chunk: bytes) -> None:
        if self._limit is None or len(self.body) <= self._limit:
            self.body += chunk

    def finish(self) -> None:
        self.complete = True

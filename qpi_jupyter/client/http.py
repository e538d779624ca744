"""HTTP to a lab: one kept client, the lab's errors as types, and patience with a lab that restarts."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol, TypeVar
from urllib.parse import quote

import httpcore
import httpx
import msgspec

from qpi_jupyter.core import QpiError, Rejected, Unavailable
from qpi_jupyter.wire.addresses import clean_token, is_loopback
from qpi_jupyter.wire.people import TIMEZONE_HEADER
from qpi_jupyter.wire.reach import trust

from . import times
from .numpy_values import encode, to_python
from .portal import Portal
from .trouble import error_of, silence, unreadable

T = TypeVar("T")
Query = Mapping[str, object] | Sequence[tuple[str, object]] | None
"""What an address asks for: times and numbers as they are, None is left out."""


class Page(Protocol):
    """A page of a list; ``next`` goes into ``?after=``."""

    @property
    def next(self) -> str | None: ...


L = TypeVar("L", bound=Page)

RETRY_S = 30.0
"""How long a call waits for a lab that does not answer: longer than a server takes to restart."""
ANSWER_S = 30.0
"""How long the lab may take for an answer."""
_CONNECT_S = 5.0
_BLOCK = 1 << 20
_AGAIN = frozenset({502, 503, 504})
_UNKNOWN = " It is not known whether it still did what was asked: look before you repeat it."


def delays(first_s: float = 0.05, longest_s: float = 2.0) -> Iterator[float]:
    """Growing pauses between tries, spread so that many clients do not come back at once."""
    pause = first_s
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(2 * pause, longest_s)


class Http:
    """Requests below ``<url>/qpi/``, on a loop of their own: its ``portal``.

    Most requests of this client may be repeated: reads by nature, a submit by its Idempotency-Key, a cancel because
    cancelling twice is cancelling. So a connection that breaks, before or after the answer was on its way, is retried.
    What makes something new each time is sent with ``once=True``.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        ca_file: str | os.PathLike[str] | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        base = httpx.URL(url.strip().rstrip("/"))
        self.url = str(base.copy_with(userinfo=b"")).rstrip("/")
        self._retry_s, self.ca_file = retry_s, ca_file
        token = clean_token(token)
        settings: dict[str, Any] = {  # of parameters that two signatures type anew
            "base_url": f"{str(base).rstrip('/')}/qpi/",
            "headers": {"Authorization": f"Bearer {token}"} if token else {},
            # Loading the system's certificates takes 30 ms: only for https.
            "verify": trust(ca_file, httpx.create_ssl_context) if base.scheme == "https" else False,
            # Each parked long-poll holds a connection; what bounds them is the number of jobs one waits for.
            "limits": httpx.Limits(max_connections=None, max_keepalive_connections=64),
            "timeout": httpx.Timeout(ANSWER_S, connect=_CONNECT_S, pool=None),
            "trust_env": not is_loopback(base.host),
        }
        self._client, self._reader = httpx.AsyncClient(**settings), httpx.Client(**settings)
        self.portal = Portal()  # its thread, after all that may be refused

    async def close(self) -> None:
        """Close every connection."""
        self._reader.close()
        await self._client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        params: Query = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
        answer_s: float = ANSWER_S,
        retry_s: float | None = None,
        once: bool = False,
    ) -> T:
        """The lab's answer as ``kind``.

        Parameters
        ----------
        body
            what to send, as JSON; None for a request without a body.
        wait_s
            how long the lab was asked to hold the answer back.
        answer_s
            how long it may take besides.
        retry_s
            how long to try again when the lab does not answer (None: the client's own patience; 0: once).
        once
            not to be carried out twice: tried again only while the lab cannot have seen it.

        Raises
        ------
        QpiError
            what the lab answered, by its type; `Unavailable` when no answer came in time.
        """
        request = self._client.build_request(
            method,
            path,
            params=_query(params),
            content=None if body is None else encode(body),
            headers={**({} if body is None else {"Content-Type": "application/json"}), **(headers or {})},
            timeout=httpx.Timeout(answer_s + wait_s, connect=_CONNECT_S, pool=None),
        )
        response = await self._send(request, self._retry_s if retry_s is None else retry_s, once=once)
        if kind is type(None):
            return kind()
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError as error:
            raise unreadable(response, self.url) from error

    async def pages(self, path: str, kind: type[L], params: Query) -> AsyncIterator[L]:
        """A long list of the lab's, page by page as they are wanted; ``limit`` says how long one may be."""
        asked, more = _query(params), True
        while more:
            page = await self.call("GET", path, kind, params=asked.multi_items())
            yield page
            asked, more = asked.set("after", page.next), page.next is not None

    async def _send(self, request: httpx.Request, retry_s: float, *, once: bool) -> httpx.Response:
        give_up_at = asyncio.get_running_loop().time() + retry_s
        for pause in delays():
            try:
                response = await self._client.send(request)
            except httpx.TransportError as error:
                if once and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    raise self._silent(error, _UNKNOWN) from error
                problem: QpiError = self._silent(error)
                if not isinstance(problem, Unavailable):
                    raise problem from error
            else:
                times.hear(response.headers.get(TIMEZONE_HEADER))
                if response.is_success:
                    return response
                problem = error_of(response)
                if response.status_code not in _AGAIN or (once and not _unseen(response, problem)):
                    raise problem
                pause = max(pause, _retry_after(response))
            if asyncio.get_running_loop().time() + pause > give_up_at:
                raise problem
            await asyncio.sleep(pause)
        raise AssertionError("delays() never ends")

    def _silent(self, error: httpx.TransportError, besides: str = "") -> QpiError:
        return silence(self.url, error, self.ca_file, besides)

    async def download(self, path: str, into: IO[bytes]) -> str:
        """Stream a blob into a file, going on where a broken connection left it; the SHA-256 of what came.

        A thread reads it. Whoever cancels this closes the file, which ends the thread.
        """
        download = Download(self._reader, path, into)
        give_up_at = asyncio.get_running_loop().time() + self._retry_s
        for pause in delays():
            got = into.tell()
            try:
                return await asyncio.to_thread(download.go_on)
            except httpx.TransportError as error:
                now = asyncio.get_running_loop().time()
                if into.tell() > got:
                    give_up_at = now + self._retry_s
                elif now + pause > give_up_at:
                    raise self._silent(error) from error
                await asyncio.sleep(pause)
        raise AssertionError("delays() never ends")


def _query(params: Query) -> httpx.QueryParams:
    pairs = params.items() if isinstance(params, Mapping) else params or ()
    return httpx.QueryParams(
        [(name, msgspec.to_builtins(to_python(value))) for name, value in pairs if value is not None]
    )


def path(name: str) -> str:
    """A name or an id as one part of an address, whatever is in it.

    Raises
    ------
    Rejected
        it is empty, or dots only: in an address they mean another place.
    """
    text = str(name).strip()
    if not text.strip("."):
        raise Rejected(f"{name!r} is not a name or an id.", code="bad_id")
    return quote(text, safe="")


def _unseen(response: httpx.Response, problem: QpiError) -> bool:
    """Whether the lab has not begun: a gateway's 502 or 504, and the loss of the owner, may come after it has."""
    return response.status_code == 503 and problem.code != "owner_lost"


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


class Download:
    """A large blob on its way into a file: read by a thread, because on a loop each piece is copied several times."""

    def __init__(self, client: httpx.Client, path: str, into: IO[bytes]) -> None:
        self._client, self._path, self._into = client, path, into
        self._digest = hashlib.sha256()

    def go_on(self) -> str:
        """Fetch what is not in the file yet; the SHA-256 of all of it.

        Raises
        ------
        QpiError
            what the lab answered.
        httpx.TransportError
            the connection broke; what came until then is in the file.
        """
        got = self._into.tell()
        with self._client.stream("GET", self._path, headers={"Range": f"bytes={got}-"} if got else {}) as response:
            if not response.is_success:
                response.read()
                raise error_of(response)
            if got and response.status_code != 206:
                self._into.seek(0)
                self._into.truncate()
                self._digest = hashlib.sha256()
            for block in _blocks(response):
                self._digest.update(block)
                self._into.write(block)
        return self._digest.hexdigest()


def _blocks(response: httpx.Response) -> Iterator[bytes]:
    """The body. Where its length is known, httpx's parser gives what came with the headers, and is then passed by."""
    stream: httpcore.NetworkStream | None = response.extensions.get("network_stream")
    left = int(response.headers.get("Content-Length", 0))
    parts = response.iter_raw()
    for block in parts:
        yield block
        left -= len(block)
        if stream is not None and left > 0:
            break
    while stream is not None and left > 0:
        try:
            block = stream.read(min(left, _BLOCK), response.request.extensions["timeout"]["read"])
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise httpx.ReadError(str(error), request=response.request) from error
        if not block:
            raise httpx.RemoteProtocolError("the connection was closed before the end", request=response.request)
        yield block
        left -= len(block)

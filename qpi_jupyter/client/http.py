"""HTTP to a lab: one kept client, the lab's errors as types, and patience with a lab that restarts."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TypeVar

import httpx
import msgspec

from qpi_jupyter.core.errors import Forbidden, NotFound, QpiError, Rejected, TooLarge, Unauthorized, Unavailable
from qpi_jupyter.wire.rest import ErrorBody

T = TypeVar("T")

RETRY_S = 30.0
"""How long a call waits for a lab that does not answer: longer than a server takes to restart."""
ANSWER_S = 30.0
"""How long the lab may take for an answer."""
_CONNECT_S = 5.0
_AGAIN = frozenset({502, 503, 504})
_UNKNOWN = " It is not known whether it still did what was asked: look before you repeat it."
_BY_STATUS: dict[int, type[QpiError]] = {
    400: Rejected, 401: Unauthorized, 403: Forbidden, 404: NotFound, 413: TooLarge, 502: Unavailable, 503: Unavailable,
    504: Unavailable,
}  # fmt: skip


def delays(first_s: float = 0.05, longest_s: float = 2.0) -> Iterator[float]:
    """Growing pauses between tries, spread so that many clients do not come back at once."""
    pause = first_s
    while True:
        yield pause * random.uniform(0.5, 1.0)
        pause = min(2 * pause, longest_s)


class Http:
    """Requests below ``<url>/qpi/``.

    Most requests of this client may be repeated: reads by nature, a submit by its Idempotency-Key, a cancel because
    cancelling twice is cancelling. So a connection that breaks, before or after the answer was on its way, is retried.
    What makes something new each time is sent with ``once=True``.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        ca_file: str | None = None,
        retry_s: float = RETRY_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._retry_s = retry_s
        secure = self.url.startswith("https:")
        self._client = httpx.AsyncClient(
            base_url=f"{self.url}/qpi/",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            # Loading the system's certificates takes 30 ms: only for https.
            verify=httpx.create_ssl_context(verify=ca_file or True) if secure else False,
            # Each parked long-poll holds a connection; what bounds them is the number of jobs one waits for.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
            timeout=httpx.Timeout(ANSWER_S, connect=_CONNECT_S, pool=None),
            trust_env=not _is_loopback(self.url),
            transport=transport,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_s: float = 0.0,
        answer_s: float = ANSWER_S,
        retry_s: float | None = None,
        once: bool = False,
    ) -> T:
        """The lab's answer as ``kind``.

        Parameters
        ----------
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
            params=httpx.QueryParams(params if isinstance(params, Mapping) else list(params or ())),
            content=content,
            headers={**({"Content-Type": "application/json"} if content is not None else {}), **(headers or {})},
            timeout=httpx.Timeout(answer_s + wait_s, connect=_CONNECT_S, pool=None),
        )
        response = await self._send(request, self._retry_s if retry_s is None else retry_s, once=once)
        if kind is type(None):
            return kind()
        try:
            return msgspec.json.decode(response.content, type=kind)
        except msgspec.MsgspecError as error:
            raise Unavailable(
                f"{self.url} answered something that is not a lab's {kind.__name__}: {error}", code="not_a_lab"
            ) from error

    async def _send(self, request: httpx.Request, retry_s: float, *, once: bool) -> httpx.Response:
        give_up_at = asyncio.get_running_loop().time() + retry_s
        for pause in delays():
            try:
                response = await self._client.send(request)
            except httpx.TransportError as error:
                if once and not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
                    raise self._silent(error, _UNKNOWN) from error
                problem: QpiError = self._silent(error)
            else:
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

    def _silent(self, error: httpx.TransportError, besides: str = "") -> Unavailable:
        said = str(error) or type(error).__name__
        return Unavailable(f"The lab at {self.url} does not answer ({said}).{besides}", code="no_answer", url=self.url)

    async def download(self, path: str, into: IO[bytes]) -> str:
        """Stream a blob into a file, going on where a broken connection left it; the SHA-256 of what came."""
        digest = hashlib.sha256()
        give_up_at = asyncio.get_running_loop().time() + self._retry_s
        for pause in delays():
            got = into.tell()
            headers = {"Range": f"bytes={got}-"} if got else {}
            try:
                async with self._client.stream("GET", path, headers=headers) as response:
                    if not response.is_success:
                        await response.aread()
                        raise error_of(response)
                    if got and response.status_code != 206:
                        into.seek(0)
                        into.truncate()
                        digest = hashlib.sha256()
                    async for chunk in response.aiter_raw():
                        digest.update(chunk)
                        into.write(chunk)
                return digest.hexdigest()
            except httpx.TransportError as error:
                now = asyncio.get_running_loop().time()
                if into.tell() > got:
                    give_up_at = now + self._retry_s
                elif now + pause > give_up_at:
                    raise self._silent(error) from error
                await asyncio.sleep(pause)
        raise AssertionError("delays() never ends")


def error_of(response: httpx.Response) -> QpiError:
    """The error that an answer carries; one of a proxy or of Jupyter itself is told by its status."""
    try:
        body = msgspec.json.decode(response.content, type=ErrorBody)
    except msgspec.MsgspecError:
        status = response.status_code
        kind = _BY_STATUS.get(status, QpiError)
        hint = _HINTS.get(status, "")
        return kind(f"{response.request.url} answered {status} {response.reason_phrase}.{hint}", status=status)
    return QpiError.from_dict(msgspec.to_builtins(body.error))


_HINTS = {
    401: " The token is missing, wrong or expired.",
    403: " The token is missing, wrong or expired, or may not do this.",
    404: " Is the qpi_server extension enabled there? (jupyter server extension list)",
}


def _unseen(response: httpx.Response, problem: QpiError) -> bool:
    """Whether the lab has not begun: a gateway's 502 or 504, and the loss of the owner, may come after it has."""
    return response.status_code == 503 and problem.code != "owner_lost"


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else 0.0


def _is_loopback(url: str) -> bool:
    return httpx.URL(url).host in {"127.0.0.1", "localhost", "::1"}

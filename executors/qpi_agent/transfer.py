"""Brings results to the lab and fetches large programs: HTTP beside the link, over kept connections."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from pathlib import Path

import msgspec

from qpi_jupyter.core import MAX_PROGRAM_BYTES, Faulted, NotFound, QpiError, Rejected, TooLarge, Unavailable, unpack
from qpi_jupyter.wire.connections import Answer, ConnectionLost, Connections
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.reach import DRIVER, unreachable
from qpi_jupyter.wire.rest import ErrorBody, ResultStored
from qpi_jupyter.wire.results import DIGEST_HEADER, MEDIA_TYPE
from qpi_jupyter.wire.tasks import ended

from .backoff import Backoff
from .messages import Key
from .spool import Spool, header_digest
from .trust import Address

log = logging.getLogger(__name__)
_AT_ONCE = 4
"""Uploads side by side: a large one must not hold up the small ones behind it."""
_CHUNK = 1 << 20
_DAMAGED_TRIES = 3
_FETCH_TRIES = 6
Settled = Callable[[Key, QpiError | None], None]


class Transfer:
    """Delivers spooled results for ever; give `connect` an SSL context first.

    ``settled`` is called once per result: with None when the lab has it or has no use for it, with an error when the
    lab can never take it, which somebody has to report. The file is gone, or archived, by then.
    """

    def __init__(self, address: Address, token: str, spool: Spool, settled: Settled) -> None:
        self._address, self._token, self._spool, self._settled = address, token, spool, settled
        self._connections: Connections | None = None
        self._connected = asyncio.Event()
        self._retry = asyncio.Event()
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def connect(self, context: ssl.SSLContext | None) -> None:
        """Use this trust; a later call changes nothing."""
        if self._connections is None:
            self._connections = Connections(self._address.base, context, connect_s=10.0)
            self._connected.set()

    def deliver(self, key: Key) -> None:
        """Bring this result to the lab, however long that takes."""
        if key not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._deliver(key), name=f"deliver {key}")
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    def retry(self) -> None:
        """The lab is there again: whoever waits for the next try tries now."""
        self._retry.set()
        self._retry = asyncio.Event()

    async def fetch(self, sha256: str) -> list[bytes]:
        """The sources of a large program.

        Raises
        ------
        QpiError
            the lab does not give it, after some tries.
        """
        await self._connected.wait()
        backoff = Backoff()
        for last in (False,) * (_FETCH_TRIES - 1) + (True,):
            try:
                return await self._fetch(sha256)
            except Unavailable:
                if last:
                    raise
            await self._pause(backoff.next())
        raise AssertionError

    async def close(self) -> None:
        """Stop; what is not delivered stays in the spool."""
        await ended(*self._tasks.values())
        if self._connections is not None:
            self._connections.close()

    async def _deliver(self, key: Key) -> None:
        await self._connected.wait()
        backoff = Backoff()
        damaged = 0
        while True:
            try:
                async with self._at_once:
                    await self._put(key)
            except Unavailable as error:
                wait_s = backoff.next()
                log.warning("job %s, attempt %d: not delivered yet: %s; again in %.1f s", *key, error, wait_s)
                await self._pause(wait_s)
            except NotFound as error:
                self._spool.archive(key, error.message)
                return self._settled(key, None)
            except (Rejected, TooLarge, OSError) as error:
                damaged += 1
                if isinstance(error, Rejected) and error.code != "bad_result" and damaged < _DAMAGED_TRIES:
                    log.warning("job %s, attempt %d: sent again: %s", *key, error)
                    continue
                self._spool.archive(key, str(error))
                return self._settled(key, _undeliverable(error))
            else:
                return self._settled(key, None)

    async def _put(self, key: Key) -> None:
        path = self._spool.path(key)
        headers = {
            DIGEST_HEADER: header_digest(path),
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(path.stat().st_size),
        }
        answer = await self._ask("PUT", f"jobs/{key.job_id}/attempts/{key.attempt}/result", headers, _body(path))
        reach("put_answered")
        _check(answer)
        try:
            stored = msgspec.json.decode(answer.body, type=ResultStored)
        except msgspec.MsgspecError as error:
            raise Unavailable("the answer is not the lab's", code="no_lab") from error
        if stored.accepted:
            self._spool.remove(key)
        else:
            self._spool.archive(key, f"the lab has no use for the result of this attempt: the job is {stored.status}")

    async def _fetch(self, sha256: str) -> list[bytes]:
        answer = await self._ask("GET", f"programs/{sha256}", {})
        _check(answer)
        try:
            sources = unpack(bytes(answer.body))
        except ValueError as error:
            raise Unavailable("the program was cut short", code="truncated") from error
        if sum(map(len, sources)) > MAX_PROGRAM_BYTES:
            raise Rejected("the program is larger than a lab may send", code="program_too_large")
        return list(sources)

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], body: AsyncIterator[bytes] | None = None
    ) -> Answer:
        """What the lab answers, signed in as this driver.

        Raises
        ------
        Unavailable
            nothing.
        """
        assert self._connections is not None
        try:
            return await self._connections.ask(
                method, f"/qpi/v1/{path}", {"Authorization": f"Bearer {self._token}", **headers}, body
            )
        except ConnectionLost as error:
            problem = unreachable(self._address.base, error, remedy=DRIVER)
            raise Unavailable(problem.message, code="no_connection") from error

    async def _pause(self, wait_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._retry.wait()


async def _body(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
    reach("put_sent")


def _check(answer: Answer) -> None:
    """Raise what an answer other than success means for the file in hand."""
    status = answer.status
    if 200 <= status < 300:
        return
    message, code = f"{status} {answer.reason}", None
    with contextlib.suppress(msgspec.MsgspecError):
        said = msgspec.json.decode(answer.body, type=ErrorBody).error
        message, code = f"{message}: {said.message}", said.code
    kinds: dict[int, type[QpiError]] = {
        HTTPStatus.FORBIDDEN: NotFound,
        HTTPStatus.NOT_FOUND: NotFound,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
        HTTPStatus.UNPROCESSABLE_ENTITY: Rejected,
        HTTPStatus.BAD_REQUEST: Rejected,
    }
    # Anything else may pass: a proxy's error, a server that restarts, a token that is being renewed.
    raise kinds.get(status, Unavailable)(message, code=code)


def _undeliverable(error: Rejected | TooLarge | OSError) -> QpiError:
    if isinstance(error, TooLarge):
        return TooLarge(f"The lab does not take the result: {error.message}", code="result_too_large")
    if isinstance(error, Rejected) and error.code == "bad_result":
        return Faulted(f"The lab cannot use the result: {error.message}", code="bad_result")
    return Faulted(f"The result is damaged: {error}", code="result_damaged")

"""The link: one WebSocket to the lab, made again for ever."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Protocol

import tornado.httpclient
from msgspec import Raw
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketClosedError, WebSocketError, websocket_connect

from qpi_jupyter.core import Conflict, Forbidden, QpiError, Rejected, Unauthorized, Unavailable
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import (
    Abort,
    Assignment,
    Claim,
    Heartbeat,
    Hello,
    LogLine,
    Prepare,
    Prepared,
    Reading,
    Welcome,
)
from qpi_jupyter.wire.peer import Handler, Peer, parse
from qpi_jupyter.wire.reach import DRIVER, unreachable

from .backoff import Backoff
from .bench import Bench
from .messages import Key
from .trust import Address, Untrusted

log = logging.getLogger(__name__)
_HELLO_S = 30.0
_REPORT_S = 30.0
_REFUSALS = (Unauthorized, Forbidden, Rejected, Untrusted)
"""What no waiting changes, as another wire version: a wrong token, a wrong certificate authority."""


class GaveUp(QpiError):
    """The lab refuses this driver."""

    default_code = "refused"


class Driver(Protocol):
    """What the link asks the rest of the driver; its bench answers for the attempts."""

    bench: Bench

    def hello(self) -> Hello: ...

    def readings(self) -> list[Reading]: ...

    def logged(self) -> list[LogLine]: ...

    def welcomed(self, welcome: Welcome) -> None: ...

    def drain(self) -> None: ...

    def reported(self, key: Key) -> None: ...

    async def prepare(self, request: Prepare) -> Prepared: ...


class Link:
    """Keeps the driver connected.

    Reports wait here until the lab has heard them; Started and Progress are told when they happen, and Started of what
    still runs again after every hello.
    """

    def __init__(
        self, address: Address, token: str, driver: Driver, trust: Callable[[], Awaitable[ssl.SSLContext | None]]
    ) -> None:
        self._address, self._token, self._driver, self._trust = address, token, driver, trust
        self._peer: Peer | None = None
        self._epoch = 0
        self._greeted = False
        self._reports: dict[Key, frames.Report] = {}
        self._reporting: set[Key] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Event()
        self._linked = asyncio.Event()
        self._ended = False

    def end(self) -> None:
        """Connect no more; whoever runs `live` cancels it then."""
        self._ended = True

    async def live(self) -> None:
        """Connect, serve, and connect again.

        Raises
        ------
        GaveUp
            the lab refused the driver at the very first contact, for a reason that no waiting changes.
        """
        backoff = Backoff(at_once=True)
        while True:
            try:
                await self._connected(backoff)
            except QpiError as error:
                if not self._greeted and (isinstance(error, _REFUSALS) or error.code == "wire_version"):
                    raise GaveUp(error.message, code=error.code) from error
                problem = error.message
            except (OSError, StreamClosedError, WebSocketError, tornado.httpclient.HTTPError) as error:
                problem = unreachable(self._address.base, error, remedy=DRIVER).message
            if self._ended:
                # A task group forgets a cancellation that meets an error of one of its tasks.
                raise asyncio.CancelledError
            wait_s = backoff.next()
            log.warning("no link to %s: %s; again in %.1f s", self._address.base, problem, wait_s)
            await asyncio.sleep(wait_s)

    # --- what the driver says ------------------------------------------------------------------------------------

    def has_room(self) -> None:
        """The driver may be able to take a job now."""
        self._room.set()

    def started(self, key: Key) -> None:
        self._publish(frames.STARTED, frames.Started(epoch=self._epoch, at=datetime.now(UTC), **key._asdict()))

    async def begins(self, key: Key) -> bool:
        """Say that an attempt is about to begin, until the lab has it on disk; False: it is not wanted any more."""
        while True:
            await self._linked.wait()
            body = frames.Started(epoch=self._epoch, at=datetime.now(UTC), **key._asdict())
            try:
                assert self._peer is not None
                return (await self._peer.request(frames.STARTED, body, frames.Reported, timeout=_REPORT_S)).accepted
            except Unavailable:
                continue  # asked again over the next link
            except QpiError as error:
                log.error("job %s, attempt %d: the lab refuses that it begins: %s", *key, error)
                return False

    def progressed(self, key: Key, fraction: float) -> None:
        self._publish(frames.PROGRESS, frames.Progress(epoch=self._epoch, fraction=fraction, **key._asdict()))

    def report(self, report: frames.Report) -> None:
        """Tell what became of an attempt; kept until the lab has answered."""
        key = Key(report.job_id, report.attempt)
        self._reports[key] = report
        self._start_report(key)

    async def say_logged(self) -> None:
        """Tell what was logged, if there is anything and a lab to tell it to."""
        if (peer := self._peer) is not None and (lines := self._driver.logged()):
            await peer.publish(frames.LOG, frames.Log(epoch=self._epoch, lines=lines))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- one connection ------------------------------------------------------------------------------------------

    async def _connected(self, backoff: Backoff) -> None:
        connection = await self._connect()

        async def send(text: str) -> None:
            try:
                await connection.write_message(text)
            except (WebSocketClosedError, StreamClosedError) as error:
                raise Unavailable("The link is closed.", code="link_closed") from error

        peer = Peer(send, handlers={frames.PREPARE: self._prepare}, listeners=self._listeners())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(connection, peer), name="link reader")
                welcome = await peer.request(frames.HELLO, self._driver.hello(), Welcome, timeout=_HELLO_S)
                self._epoch, self._peer, self._greeted = welcome.epoch, peer, True
                backoff.reset()
                self._resume(welcome)
                group.create_task(self._heartbeats(peer, welcome), name="heartbeats")
                group.create_task(self._claims(peer, welcome), name="claims")
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from group_error
        finally:
            self._peer = None
            self._linked.clear()
            peer.close()
            connection.close()

    async def _connect(self) -> WebSocketClientConnection:
        context = await self._trust()
        request = tornado.httpclient.HTTPRequest(
            self._address.link,
            headers={"Authorization": f"Bearer {self._token}"},
            ssl_options=context,
            connect_timeout=10,
            follow_redirects=False,
        )
        try:
            connection = await websocket_connect(request, max_message_size=frames.MAX_FRAME_BYTES)
        except tornado.httpclient.HTTPError as error:
            raise _refusal(error, self._address) from error
        _tune(connection)
        return connection

    def _resume(self, welcome: Welcome) -> None:
        log.info("linked to %s as a driver of %s, epoch %d", self._address.base, welcome.qpu, welcome.epoch)
        self._driver.welcomed(welcome)
        for key in self._driver.bench.running():
            self.started(key)
        for key in self._reports:
            self._start_report(key)
        self._linked.set()
        self._room.set()

    async def _read(self, connection: WebSocketClientConnection, peer: Peer) -> None:
        while (text := await connection.read_message()) is not None:
            await peer.receive(text)
        # What came right before the end, the welcome perhaps, is heard first.
        await asyncio.sleep(0)
        reason = connection.close_reason or "the lab closed the link"
        raise Unavailable(reason, code="link_closed")

    async def _heartbeats(self, peer: Peer, welcome: Welcome) -> None:
        while True:
            await self.say_logged()
            await asyncio.sleep(welcome.heartbeat_s)
            await peer.publish(
                frames.HEARTBEAT,
                Heartbeat(epoch=welcome.epoch, held=self._driver.bench.held(), readings=self._driver.readings()),
            )

    async def _claims(self, peer: Peer, welcome: Welcome) -> None:
        """One claim at a time, while there is room. A claim that gets no answer ends the link: the lab may have
        assigned something that never came, which the next hello clears up."""
        patience_s = welcome.reask_s + welcome.lease_s
        while True:
            self._room.clear()
            if room := self._driver.bench.room():
                claim = Claim(epoch=welcome.epoch, free=room)
                assignment = await peer.request(frames.CLAIM, claim, Assignment, timeout=patience_s)
                if assignment.job_id:
                    self._driver.bench.take(assignment)
            else:
                with contextlib.suppress(TimeoutError):  # a full disk does not say when it has room again
                    await asyncio.wait_for(self._room.wait(), welcome.heartbeat_s)

    # --- what the lab says ---------------------------------------------------------------------------------------

    def _listeners(self) -> dict[str, Handler]:
        async def abort(data: Raw) -> None:
            wanted = parse(data, Abort)
            self._driver.bench.abort(Key(wanted.job_id, wanted.attempt))

        async def recall(data: Raw) -> None:
            wanted = parse(data, Abort)
            self._driver.bench.recall(Key(wanted.job_id, wanted.attempt))

        async def drain(data: Raw) -> None:
            self._driver.drain()

        return {frames.ABORT: abort, frames.RECALL: recall, frames.DRAIN: drain}

    async def _prepare(self, data: Raw) -> Prepared:
        return await self._driver.prepare(parse(data, Prepare))

    # --- sending -------------------------------------------------------------------------------------------------

    def _publish(self, subject: str, body: frames.Frame) -> None:
        if (peer := self._peer) is not None:
            self._spawn(_quietly(peer.publish(subject, body)))

    def _start_report(self, key: Key) -> None:
        if self._peer is not None and key not in self._reporting:
            self._reporting.add(key)
            self._spawn(self._send_report(self._peer, key))

    async def _send_report(self, peer: Peer, key: Key) -> None:
        report = self._reports[key]
        report.epoch = self._epoch
        try:
            await peer.request(frames.REPORT, report, frames.Reported, timeout=_REPORT_S)
        except Unavailable:
            return  # said again after the next hello
        except QpiError as error:
            log.error("job %s, attempt %d: the lab refuses the report %r: %s", *key, report.outcome, error)
        finally:
            self._reporting.discard(key)
        del self._reports[key]
        self._driver.reported(key)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _quietly(publication: Awaitable[None]) -> None:
    with contextlib.suppress(Unavailable):  # what a link that goes down misses is said again or implied later
        await publication


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the group's siblings."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _refusal(error: tornado.httpclient.HTTPError, address: Address) -> QpiError:
    """What an answer other than 101 means."""
    where = f"{address.base} answers {error.code} {error.message}"
    if error.code == HTTPStatus.UNAUTHORIZED:
        return Unauthorized(f"{where}: the token is wrong, or has expired. Register the driver to get a new one.")
    if error.code == HTTPStatus.FORBIDDEN:
        return Forbidden(f"{where}: the token is not a driver's.")
    if error.code == HTTPStatus.CONFLICT:
        return Conflict(f"{where}: another driver of this QPU is alive.")
    if error.code == HTTPStatus.NOT_FOUND:
        return Unavailable(f"{where}: there is no lab at this address (is a base URL missing?).", code="no_lab")
    return Unavailable(where, code="no_lab")


def _tune(connection: WebSocketClientConnection) -> None:
    """No delays, and an end to waiting for a peer that has silently gone: heartbeats then stay unacknowledged."""
    stream = getattr(connection.protocol, "stream", None)
    sock = stream.socket if stream is not None else None
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 20_000)

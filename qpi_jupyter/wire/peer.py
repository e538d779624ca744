"""Request, answer and publish over an ordered stream of text frames: both ends of a driver's link.

A frame is one JSON object::

    {"op": "req", "id": 7, "subject": "lab.claim", "data": {...}}
    {"op": "res", "id": 7, "data": {...}}   or   {"op": "res", "id": 7, "error": {"kind": ..., "message": ...}}
    {"op": "pub", "subject": "lab.started", "data": {...}}

`Peer` owns no socket: it is given ``send`` and is fed with `receive`. Requests to one side run concurrently;
publications are handled in the order in which they came.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from qpi_jupyter.core import Faulted, QpiError, Rejected, TooLarge, TooMany, Unavailable

from .frames import MAX_FRAME_BYTES
from .validation import not_json, refused

log = logging.getLogger(__name__)
Send = Callable[[str], Awaitable[None]]
Handler = Callable[[Raw], Awaitable[Struct | None]]


class Handlers(Protocol):
    """What answers, or hears, a subject; a dictionary is one."""

    def get(self, subject: str, /) -> Handler | None: ...


class Found(NamedTuple):
    """`Handlers` that are looked up by a function when a frame comes."""

    get: Callable[[str], Handler | None]


T = TypeVar("T", bound=Struct)
GUEST_REQUESTS = 64
"""How many requests of a guest are served at once; an honest driver has a handful."""
GUEST_BAD_FRAMES = 20
"""So many publications of a guest may be nonsense before its link ends."""


class Envelope(Struct, omit_defaults=True):
    op: Literal["req", "res", "pub"]
    subject: Annotated[str, Meta(max_length=64)] = ""
    id: Annotated[int, Meta(ge=0, le=2**53)] = 0
    data: Raw = Raw(b"null")
    error: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(Envelope).decode
_encode = msgspec.json.Encoder().encode


def parse(data: Raw, kind: type[T]) -> T:
    """The body of a frame.

    Raises
    ------
    Rejected
        a field is missing or has the wrong type.
    """
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.ValidationError as error:
        told = refused(error, kind, code="bad_frame", whole="it")
        raise Rejected(f"{kind.__name__} frame: {told.message}", code="bad_frame", **told.data) from error
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Rejected(f"{kind.__name__} frame: {not_json(error).message}", code="bad_frame") from error


class Peer:
    """One end of a link.

    ``handlers`` serve requests, ``listeners`` hear publications; both by subject. A listener holds up what comes after
    it, so it must not wait for an answer on its own link. After `close` every open request ends with `Unavailable`,
    and so does every later one.

    ``guest``: the other end is not trusted. What it refuses, or answers wrongly, is its own fault (`Faulted`), it gets
    `GUEST_REQUESTS` of its requests served at once, and its link ends after `GUEST_BAD_FRAMES`.
    """

    def __init__(
        self,
        send: Send,
        *,
        handlers: Handlers | None = None,
        listeners: Handlers | None = None,
        guest: bool = False,
    ) -> None:
        self._send, self._guest, self._bad = send, guest, 0
        self._handlers: Handlers = {} if handlers is None else handlers
        self._listeners: Handlers = {} if listeners is None else listeners
        self._ids = itertools.count(1)
        self._open: dict[int, asyncio.Future[Raw]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = False

    async def request(self, subject: str, body: Struct, answer: type[T], *, timeout: float | None = None) -> T:
        """Ask the other end; the answer as ``answer``.

        Raises
        ------
        Unavailable
            the link is closed or closes meanwhile, or no answer came within ``timeout`` seconds.
        Faulted
            the answer is not an ``answer``.
        QpiError
            what the other end raised; of a guest always `Faulted`.
        """
        return answered(await self.ask(subject, _encode(body), timeout=timeout), answer, subject)

    async def ask(self, subject: str, data: bytes, *, timeout: float | None = None) -> Raw:
        """`request` with JSON."""
        if self.closed:
            raise Unavailable("The link is closed.", code="link_closed")
        number = next(self._ids)
        text = _frame(Envelope(op="req", id=number, subject=subject, data=Raw(data)))
        future: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        self._open[number] = future
        try:
            async with asyncio.timeout(timeout):
                await self._transmit(text)
                return await future
        except TimeoutError as error:
            raise Unavailable(f"No answer to {subject} within {timeout} s.", code="no_answer") from error
        finally:
            del self._open[number]
            if future.done() and not future.cancelled():
                future.exception()  # it may have failed while we were still sending: that is no news to the loop

    async def publish(self, subject: str, body: Struct) -> None:
        """Tell the other end, at most once; a link that is closed or breaks loses it silently."""
        await self.tell(subject, _encode(body))

    async def tell(self, subject: str, data: bytes) -> None:
        """`publish` with JSON."""
        text = _frame(Envelope(op="pub", subject=subject, data=Raw(data)))
        if not self.closed:
            with contextlib.suppress(Unavailable):
                await self._transmit(text)

    async def receive(self, text: str | bytes) -> None:
        """Take one frame in.

        Raises
        ------
        Rejected
            it is no frame: close the connection.
        """
        if len(text) > MAX_FRAME_BYTES:
            raise Rejected(f"A frame of {len(text):,} bytes; the limit is {MAX_FRAME_BYTES:,}.", code="bad_frame")
        try:
            frame = _decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Rejected("That is not a frame.", code="bad_frame") from error
        if frame.op == "res":
            future = self._open.get(frame.id)
            if future is not None and not future.done():
                if frame.error is not None:
                    future.set_exception(self._refusal(frame.error))
                else:
                    future.set_result(frame.data)
        elif frame.op == "pub":
            await self._hear(frame)
        elif self._guest and len(self._tasks) >= GUEST_REQUESTS:
            refusal = TooMany(f"More than {GUEST_REQUESTS} requests at once.", code="too_many_requests")
            await self._answer(_frame(Envelope(op="res", id=frame.id, error=refusal.to_dict())))
        else:
            task = asyncio.create_task(self._serve(frame), name=f"serve {frame.subject}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def close(self, reason: str = "The link was closed.") -> None:
        """End every open request, and every request being served."""
        self.closed = True
        for future in self._open.values():
            if not future.done():
                future.set_exception(Unavailable(reason, code="link_closed"))
        for task in self._tasks:
            task.cancel()

    async def _hear(self, frame: Envelope) -> None:
        """Nobody waits for the outcome of a publication: a bad one is logged, and the link lives on."""
        if (listener := self._listeners.get(frame.subject)) is None:
            return
        try:
            await listener(frame.data)
        except QpiError as error:
            log.warning("ignored %s: %s", frame.subject, error)
            self._bad += 1
            if self._guest and self._bad >= GUEST_BAD_FRAMES:
                raise Rejected(f"Too many bad frames; the last one: {error.message}", code="bad_frame") from error
        except Exception:
            log.exception("hearing %s", frame.subject)

    async def _serve(self, frame: Envelope) -> None:
        handler = self._handlers.get(frame.subject)
        try:
            if handler is None:
                raise Rejected(f"Nothing serves {frame.subject!r}.", code="no_such_subject")
            body = await handler(frame.data)
            answer = _frame(Envelope(op="res", id=frame.id, data=Raw(_encode(body))))
        except QpiError as error:
            answer = _frame(Envelope(op="res", id=frame.id, error=error.to_dict()))
        except Exception:
            log.exception("serving %s", frame.subject)
            answer = _frame(Envelope(op="res", id=frame.id, error=Faulted(f"{frame.subject} failed.").to_dict()))
        await self._answer(answer)

    async def _answer(self, text: str) -> None:
        if not self.closed:
            with contextlib.suppress(Unavailable):  # whoever reads the link sees its end, and so does who asked
                await self._transmit(text)

    def _refusal(self, raw: dict[str, Any]) -> QpiError:
        error = QpiError.from_dict(raw)
        return Faulted(error.message, code=error.code) if self._guest else error

    async def _transmit(self, text: str) -> None:
        try:
            await self._send(text)
        except Exception as error:  # each transport has its own words for a broken link
            raise Unavailable("The link broke while sending.", code="link_closed") from error


def answered(data: Raw, answer: type[T], subject: str) -> T:
    """The body of an answer; one that is not an ``answer`` is `Faulted`."""
    try:
        return parse(data, answer)
    except Rejected as error:
        raise Faulted(f"The answer to {subject} cannot be read: {error.message}", code="bad_frame") from error


def _frame(envelope: Envelope) -> str:
    text = _encode(envelope)
    if len(text) > MAX_FRAME_BYTES:
        raise TooLarge(f"A frame of {len(text):,} bytes; the limit is {MAX_FRAME_BYTES:,}.", code="frame_too_large")
    return text.decode()

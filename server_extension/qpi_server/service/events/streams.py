"""The stream as it is pushed: encoded once, written when the commit tells, and in no task of its reader's."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from qpi_jupyter.wire import sse
from qpi_jupyter.wire.events import PersonChanged, TokenChanged
from qpi_server.service.base import Commits, Written, sees


class Out(Protocol):
    """The way to a reader."""

    def push(self, chunk: bytes) -> bool:
        """Send at once; False where the reader is too far behind to hear more."""

    async def send(self, chunk: bytes) -> None:
        """Send, and wait until it is on its way."""


@dataclass(frozen=True, slots=True, eq=False)
class StreamReader:
    """Whom a stream is for; ``ended`` says why it has to end, once it has to."""

    person: str
    out: Out
    ended: asyncio.Future[str]

    def end(self, why: str) -> None:
        if not self.ended.done():
            self.ended.set_result(why)


@dataclass(slots=True)
class _Audience:
    """Those who see the same events, and so the same bytes."""

    previous: int
    readers: set[StreamReader] = field(default_factory=set)


class Streams:
    """Whoever is up to date, and hears of what is written from now on."""

    def __init__(self, commits: Commits) -> None:
        self._readers: set[StreamReader] = set()
        self._audiences: dict[str | None, _Audience] = {}
        self._news: list[Written] = []
        commits.on(Written, self._add)

    @contextlib.contextmanager
    def open(self, reader: str | None, person: str, out: Out) -> Iterator[StreamReader]:
        """Somebody catches up with what ``reader`` may see (None: all), and is told when that has to end."""
        one = StreamReader(person, out, asyncio.get_running_loop().create_future())
        self._readers.add(one)
        try:
            yield one
        finally:
            self._readers.discard(one)
            if (audience := self._audiences.get(reader)) is not None:
                audience.readers.discard(one)
                if not audience.readers:
                    del self._audiences[reader]

    def follow(self, one: StreamReader, reader: str | None, previous: int) -> None:
        """Push to ``one`` what comes from now on.

        Parameters
        ----------
        previous
            the ``seq`` of the newest event that ``reader`` may see: ``one`` has had everything up to it.
        """
        self._tell()
        self._audiences.setdefault(reader, _Audience(previous)).readers.add(one)

    def close(self) -> None:
        """End them all."""
        self._end("closing")

    def _add(self, written: Written) -> None:
        """Remember what the units that share a commit wrote: it goes out together."""
        if self._readers:
            if not self._news:
                asyncio.get_running_loop().call_soon(self._tell)
            self._news.append(written)

    def _tell(self) -> None:
        news, self._news = self._news, []
        messages = [(written, *sse.halves(written.event)) for written in news]
        for reader, audience in self._audiences.items():
            parts: list[bytes] = []
            for written, head, tail in messages:
                if sees(reader, written):
                    parts += head, b"%d" % audience.previous, tail
                    audience.previous = written.event.seq
            chunk = b"".join(parts)
            for one in audience.readers if chunk else ():
                if not one.ended.done() and not one.out.push(chunk):
                    one.end("too_slow")
        for written in news:
            if isinstance(written.event, PersonChanged | TokenChanged):
                self._end("rights_changed", of=written.owner)

    def _end(self, why: str, *, of: str | None = None) -> None:
        for one in self._readers:
            if of in (None, one.person):
                one.end(why)

"""The newest events in memory, and whoever waits for the next: a commit hands them over, and nobody reads the rows."""

from __future__ import annotations

import asyncio
import contextlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from qpi_jupyter.core import FINAL
from qpi_jupyter.wire.events import LabEvent
from qpi_jupyter.wire.jobs import JobData
from qpi_server.store import facts

from .units import Commits, Written

KEPT = 10_000
"""Events in memory: a reader who is further behind reads the rows."""


class Found(NamedTuple):
    """What a reader has not heard yet."""

    events: list[LabEvent]
    previous: int
    """The ``seq`` of the reader's event before them."""
    newest: int
    """The newest ``seq`` of anybody's."""


class Followers:
    """Who follows what. Listen first, then look, then wait: nothing is missed.

    Parameters
    ----------
    newest
        the ``seq`` of the newest event on disk.
    """

    def __init__(self, commits: Commits, newest: int) -> None:
        self._floor = self._newest = newest
        self._written: list[Written] = []
        """Everything after `_floor`, in order."""
        self._listening: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        commits.on(Written, self._add)

    @property
    def newest(self) -> int:
        """The ``seq`` of the newest event."""
        return self._newest

    def after(self, cursor: int, limit: int, *, reader: str | None) -> Found | None:
        """Up to ``limit`` events after ``cursor`` that ``reader`` may see (None: all); None: look at the rows."""
        if cursor < self._floor:
            return None
        place = bisect_right(self._written, cursor, key=_seq)
        found = [one.event for one in self._written[place:] if sees(reader, one)][:limit]
        if not found:
            return Found([], 0, self._newest)
        previous = self.previous(cursor, reader=reader)
        return None if previous is None else Found(found, previous, self._newest)

    def previous(self, cursor: int, *, reader: str | None) -> int | None:
        """The newest event up to ``cursor`` that ``reader`` may see; None: look at the rows."""
        places = range(bisect_right(self._written, cursor, key=_seq) - 1, -1, -1)
        return next((self._written[place].event.seq for place in places if sees(reader, self._written[place])), None)

    @contextlib.contextmanager
    def listening(self, *topics: str) -> Iterator[asyncio.Event]:
        """An event that is set as soon as there is news under one of ``topics`` (`stream`, `job`)."""
        event = asyncio.Event()
        for topic in topics:
            self._listening[topic].add(event)
        try:
            yield event
        finally:
            for topic in topics:
                self._listening[topic].discard(event)
                if not self._listening[topic]:
                    del self._listening[topic]

    def tell(self, *topics: str) -> None:
        """Wake whoever listens: for what is only in memory, such as progress."""
        for topic in topics:
            for event in self._listening.get(topic, ()):
                event.set()

    def close(self) -> None:
        """Wake everybody."""
        self.tell(*self._listening)

    def _add(self, written: Written) -> None:
        self._newest = written.event.seq
        self._written.append(written)
        if len(self._written) >= 2 * KEPT:
            self._floor = self._written[KEPT - 1].event.seq
            del self._written[:KEPT]
        topics = [stream(None), stream(written.owner)]
        if written.event.job_id is not None:
            topics.append(job(written.event.job_id))
            data = written.event.data
            if isinstance(data, JobData) and data.status in FINAL:
                topics.append(end(written.event.job_id))
        self.tell(*topics)


def stream(reader: str | None) -> str:
    """The topic of one person's events, or of all (None)."""
    return "events:*" if reader is None else f"events:{reader}"


def job(job_id: str) -> str:
    """The topic of one job."""
    return f"job:{job_id}"


def end(job_id: str) -> str:
    """The topic of one job's end, and of nothing before it."""
    return f"end:{job_id}"


def sees(reader: str | None, written: Written) -> bool:
    """Whether ``reader`` (None: who sees all) may see an event."""
    return reader is None or written.owner in (reader, facts.EVERYBODY)


def _seq(written: Written) -> int:
    return written.event.seq

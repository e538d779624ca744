"""What is said after a commit: to waiting readers, to drivers, to the dispatcher. Lost, it costs only time."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.core.jobs import Job

from .transitions import Change

log = logging.getLogger(__name__)


class Bell:
    """Lets readers wait for what they watch. Listen first, then read, then wait: nothing is missed."""

    def __init__(self) -> None:
        self._listening: dict[str, set[asyncio.Event]] = defaultdict(set)

    @contextlib.contextmanager
    def listening(self, *topics: str) -> Iterator[asyncio.Event]:
        """An event that is set as soon as one of ``topics`` rings."""
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

    def ring(self, *topics: str) -> None:
        for topic in topics:
            for event in self._listening.get(topic, ()):
                event.set()


class Tasks:
    """Background work that ends with the lab. What goes wrong in it is logged, never lost."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    def start(self, work: Coroutine[Any, Any, Any], name: str) -> None:
        """Run ``work``; once the lab is closed there is nothing left to do it with."""
        if self._closed:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, QpiError):
            log.warning("%s: %s", task.get_name(), error)
        else:
            log.error("%s failed", task.get_name(), exc_info=error)

    async def close(self) -> None:
        """Cancel what still runs and wait for it."""
        self._closed = True
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


ALL_EVENTS = "events:*"
"""Rings with every event of anybody."""


def job_topic(job_id: str) -> str:
    """Rings with every news of one job."""
    return f"job:{job_id}"


def events_topic(owner: str) -> str:
    """Rings with every event that is this person's."""
    return f"events:{owner}"


class Outbox:
    """Sends what a change calls for. The receivers are put in by the lab that puts everything together."""

    def __init__(self) -> None:
        self.bell = Bell()
        self.tasks = Tasks()
        self.wake: Callable[[str], None]
        """Whose turn it is on this QPU may have changed: a booking, a session, a switch."""
        self.queued: Callable[[str, Job], None]
        """There is one more job that may go."""
        self.freed: Callable[[str], None]
        self.abort: Callable[[str, str, int], None]
        self.observers: list[Callable[[Change], None]] = []

    def send(self, change: Change) -> None:
        """Say what ``change`` did, once it is on disk."""
        job = change.after.job
        if change.driver is not None:
            for attempt in change.aborts:
                self.abort(change.driver, job.id, attempt)
        if change.queued:
            self.queued(job.qpu, job)
        elif change.freed:
            self.freed(job.qpu)
        if change.changed:
            for observe in self.observers:
                observe(change)
            self.told(job.id, job.owner)

    def told(self, job_id: str, owner: str) -> None:
        """A job, and with it its owner's events, have news."""
        self.bell.ring(job_topic(job_id), events_topic(owner), ALL_EVENTS)

    def news(self, owner: str) -> None:
        """There is an event for this person."""
        self.bell.ring(events_topic(owner), ALL_EVENTS)

    def public(self) -> None:
        """There is an event for everybody."""
        self.bell.ring(events_topic(""), ALL_EVENTS)

"""What a lab says, told to the widgets of this kernel: one task reads the event stream for all of them."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

from qpi_jupyter.client.http import Http, delays
from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.events import UnreadEventPage

from .follow import start_task

_PARK_S = 50.0


class Listener(Protocol):
    """Who is told."""

    def heard(self, event: dict[str, Any]) -> None:
        """Something has happened; the event is JSON, as the lab tells it."""

    def away(self, message: str) -> None:
        """The lab does not answer, or, with an empty message, does from now on: what one knows may be old."""


_listeners: WeakKeyDictionary[Http, WeakSet[Listener]] = WeakKeyDictionary()


def listen(http: Http, listener: Listener) -> None:
    """Tell ``listener`` of a lab's events for as long as somebody keeps it; on the kernel's own loop."""
    known = _listeners.get(http)
    if known is None:
        known = _listeners[http] = WeakSet()
        start_task(_follow(http, known))
    known.add(listener)


def leave(http: Http, listener: Listener) -> None:
    """Tell ``listener`` no more."""
    if (known := _listeners.get(http)) is not None:
        known.discard(listener)


async def _follow(http: Http, listeners: WeakSet[Listener]) -> None:
    cursor: int | None = None
    pauses = delays()
    lost = ""
    try:
        while listeners or cursor is None:
            try:
                page = await asyncio.wrap_future(http.portal.start(_events(http, cursor)))
            except QpiError as error:
                if error.message != lost:
                    lost = error.message
                    _away(listeners, lost)
                await asyncio.sleep(next(pauses))
                continue
            except RuntimeError:  # the connection was closed
                return
            if cursor is None or lost:
                # What was asked for before this moment may be older than the first event.
                _away(listeners, "")
            cursor, lost, pauses = page.cursor, "", delays()
            for listener in list(listeners):
                for event in page.events:
                    listener.heard(event)
    finally:
        _listeners.pop(http, None)


def _away(listeners: WeakSet[Listener], message: str) -> None:
    for listener in list(listeners):
        listener.away(message)


async def _events(http: Http, after: int | None) -> UnreadEventPage:
    """What happened after a cursor, as soon as something does; without one, the cursor of now."""
    params = {"newest": "true"} if after is None else {"after": str(after), "wait_s": f"{_PARK_S:g}"}
    wait_s = 0.0 if after is None else _PARK_S
    return await http.call("GET", "v1/events", UnreadEventPage, params=params, wait_s=wait_s, retry_s=0.0)

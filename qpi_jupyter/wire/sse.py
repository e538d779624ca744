"""Server-sent events, as a browser's ``EventSource`` reads them: the lab's stream, written and read."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from qpi_jupyter.core import Unavailable

from .events import LabEvent

MEDIA_TYPE = "text/event-stream"
MAX_MESSAGE_BYTES = 4 << 20
PING = b":\n\n"
"""Says only that somebody is there."""


def message(data: bytes = b"", *, of: str | int = "", event: str = "") -> bytes:
    """One message. Its id ``of`` is where its reader would go on, also without data; without an id, that stays."""
    fields = (b"id", str(of).encode()), (b"event", event.encode()), (b"data", data)
    return b"".join(b"%b:%b\n" % (name, value) for name, value in fields if value) + b"\n"


def halves(event: LabEvent) -> tuple[bytes, bytes]:
    """An event's message before and after the number that its reader's last event has: the rest is one for all."""
    head, _, tail = message(msgspec.json.encode(event), of=event.seq).partition(b'"prev":%d' % event.prev)
    return b'%b"prev":' % head, tail


class Parser:
    """Takes a stream of our own apart, as it comes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[dict[bytes, bytes]]:
        """The fields of each message that ``chunk`` ends; a ping has none.

        Raises
        ------
        Unavailable
            a message has no end.
        """
        *whole, self._rest = (self._rest + chunk).split(b"\n\n")
        if len(self._rest) > MAX_MESSAGE_BYTES:
            raise Unavailable("What answers there sends no events of a lab.", code="not_a_lab")
        for text in whole:
            lines = (line.partition(b":") for line in text.split(b"\n"))
            yield {name: value for name, _, value in lines if name}

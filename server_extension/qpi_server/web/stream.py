"""Writing into an answer that is open for long."""

from __future__ import annotations

import asyncio
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

UNREAD_S = 60.0
"""How long what is sent may wait for its asker to read."""
MAX_BEHIND_BYTES = 1 << 20
"""How much may wait for an asker who does not wait for it."""


class AnswerOut:
    """The way to whoever asked: no task, no copy and no turn of the loop for what they take at once."""

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._connection: Any = handler.request.connection  # of `HTTP1Connection`, which says more than its base
        self._behind = 0

    def push(self, chunk: bytes) -> bool:
        """Send at once, after what was sent with `send`; False where too much waits for the asker already."""
        self._behind = len(chunk) + (self._behind if self._connection.stream.writing() else 0)
        if self._behind > MAX_BEHIND_BYTES:
            return False
        self._connection.write(chunk)
        return True

    async def send(self, chunk: bytes) -> None:
        """Send, and wait until everything is on its way.

        Raises
        ------
        StreamClosedError
            the asker has gone, or has stopped reading.
        """
        self._handler.write(chunk)
        self._handler.flush()
        try:
            async with asyncio.timeout(UNREAD_S):
                await self._connection.stream.write(b"")
        except TimeoutError as error:
            self._connection.stream.close()
            raise StreamClosedError from error

"""Answers that take their time: files, with range requests, ``ETag`` and one block in memory, and open streams."""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any, BinaryIO

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from qpi_jupyter.core import NotFound

from .table import Download

BLOCK_BYTES = 1 << 20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})$")


async def send_file(handler: RequestHandler, download: Download) -> None:
    """Answer with the file, or with the part of it that the request asks for."""
    etag = f'"{download.etag}"'
    handler.set_header("ETag", etag)
    handler.set_header("Accept-Ranges", "bytes")
    handler.set_header("Cache-Control", "private, no-cache")
    handler.set_header("Content-Disposition", f'attachment; filename="{download.filename}"')
    asked = handler.request.headers
    if etag in [tag.strip().removeprefix("W/") for tag in asked.get("If-None-Match", "").split(",")]:
        handler.set_status(304)
        handler.clear_header("Content-Type")
        await handler.finish()
        return
    try:
        file = await asyncio.to_thread(open, download.path, "rb")
    except FileNotFoundError as error:
        raise NotFound("The job has just been deleted, and its data with it.", code="unknown_job") from error
    try:
        size = os.fstat(file.fileno()).st_size
        wanted = asked.get("Range") if asked.get("If-Range", etag) == etag else None
        start, stop = _span(handler, wanted, size)
        await _send(handler, file, start, stop)
    finally:
        await asyncio.to_thread(file.close)


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """``[start, stop)`` of a file of ``size`` bytes; None for all of it, where the header says so or says nothing.

    Several ranges count as none: the whole file answers them, as RFC 9110 allows.

    Raises
    ------
    ValueError
        nothing of the range lies in the file.
    """
    match = _RANGE.match((header or "").strip().replace(" ", ""))
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if first == "":
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < start:
            return None
    if start >= stop:
        raise ValueError(header)
    return start, stop


def _span(handler: RequestHandler, header: str | None, size: int) -> tuple[int, int]:
    """The part to send, with the status and headers that say so."""
    try:
        part = parse_range(header, size)
    except ValueError:
        handler.set_status(416)
        handler.set_header("Content-Range", f"bytes */{size}")
        part = (0, 0)
    else:
        if part is not None:
            handler.set_status(206)
            handler.set_header("Content-Range", f"bytes {part[0]}-{part[1] - 1}/{size}")
    start, stop = part if part is not None else (0, size)
    handler.set_header("Content-Length", str(stop - start))
    return start, stop


async def _send(handler: RequestHandler, file: BinaryIO, start: int, stop: int) -> None:
    """Read a block in a thread while the one before it goes out."""
    file.seek(start)
    block = await asyncio.to_thread(file.read, min(BLOCK_BYTES, stop - start))
    left = stop - start - len(block)
    try:
        while block:
            handler.write(block)
            following = asyncio.ensure_future(asyncio.to_thread(file.read, min(BLOCK_BYTES, left)))
            try:
                await handler.flush()
            finally:
                block = await following
            left -= len(block)
        await handler.finish()
    except StreamClosedError:
        pass  # the asker has gone


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

"""A driver delivers a result: streamed in with constant memory, stored before it is acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.errors import Rejected, TooLarge
from qpi_jupyter.core.lifecycle import Event, EventKind, advance
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.rest import ResultStored
from qpi_jupyter.wire.results import Splitter
from qpi_server.store import facts
from qpi_server.store.blobs import BlobWriter
from qpi_server.store.facts import ResultRow
from qpi_server.store.jobs import JobRecord

from .models import Header, decode_header
from .room import Room, find
from .transitions import Change, carry_out

_IN_THREAD = 1 << 20
"""This many bytes are hashed and written at once, off the event loop."""
STORED, KNOWN = 201, 200


class Upload:
    """One result on its way in: `feed` the body, then `finish`; `abort` if it breaks off."""

    def __init__(self, room: Room, record: JobRecord, attempt: int, digest: str, *, wanted: bool) -> None:
        self._room, self._record, self._attempt, self._digest = room, record, attempt, digest
        self._splitter = Splitter(digest)
        self._writer: BlobWriter | None = room.blobs.writer() if wanted else None
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._total = 0
        self._working: asyncio.Task[None] | None = None

    async def feed(self, chunk: bytes) -> None:
        """Take the next bytes; returns when there is room for more.

        Raises
        ------
        TooLarge
            more than a result may have.
        Rejected
            this is no result, or not the announced one.
        """
        self._total += len(chunk)
        if self._total > self._room.config.result_limit_bytes:
            limit = self._room.config.result_limit_bytes
            raise TooLarge(f"A result may have {limit:,} bytes.", code="result_too_large", limit=limit)
        if self._writer is None:
            return
        self._buffer.append(bytes(chunk))
        self._buffered += len(chunk)
        if self._buffered >= _IN_THREAD:
            # One block is hashed and written while the next one comes in.
            await self._settle()
            if self._writer is not None:
                self._working = asyncio.create_task(asyncio.to_thread(self._take, self._drain(), self._writer))

    async def finish(self) -> tuple[int, ResultStored]:
        """The HTTP status and the answer, once everything came and is on disk.

        Raises
        ------
        Rejected
            cut short, or a wrong checksum.
        Unavailable
            the disk is full.
        """
        # Everything is here. A sender that goes away now (`abort`) takes nothing back: row and data come together.
        writer, self._writer = self._writer, None
        if writer is None:
            return KNOWN, await self._verdict()
        with contextlib.ExitStack() as kept:
            try:
                await self._settle()
                if self._total <= _IN_THREAD:
                    self._take(self._drain(), writer)
                    header = self._splitter.finish()
                    parsed = _parse(self._splitter.header)
                    kept.enter_context(self._room.blobs.keeping(header["dataset"]["sha256"]))
                    await asyncio.to_thread(writer.publish, header["dataset"]["sha256"])
                else:
                    header = await asyncio.to_thread(self._last, self._drain(), writer, kept)
                    parsed = _parse(self._splitter.header)
            except BaseException:
                writer.abort()
                raise
            reach("result_blob_stored")
            return await self._store(parsed, header["dataset"]["sha256"], header["dataset"]["bytes"])

    def abort(self) -> None:
        """Forget what came; again is fine, and once `finish` was called it changes nothing."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        if self._working is not None and not self._working.done():
            # The thread still writes: take the file away behind it.
            self._working.add_done_callback(lambda task: _forget(task, writer))
        else:
            writer.abort()

    async def _settle(self) -> None:
        if self._working is not None:
            await self._working
            self._working = None

    def _drain(self) -> bytes:
        data = self._buffer[0] if len(self._buffer) == 1 else b"".join(self._buffer)
        self._buffer, self._buffered = [], 0
        return data

    def _take(self, data: bytes, writer: BlobWriter) -> None:
        if blob := self._splitter.feed(data):
            writer.write(blob)

    def _last(
        self, data: bytes, writer: BlobWriter, kept: contextlib.ExitStack
    ) -> dict[str, Any]:  # Any: see the splitter
        self._take(data, writer)
        header = self._splitter.finish()
        kept.enter_context(self._room.blobs.keeping(header["dataset"]["sha256"]))
        writer.publish(header["dataset"]["sha256"])
        return header

    async def _verdict(self) -> ResultStored:
        record, result = await self._room.store.read(lambda c: _load(c, self._record.id))
        accepted = result is not None and (result.attempt, result.digest) == (self._attempt, self._digest)
        return ResultStored(accepted=accepted, status=record.job.state.status)  # type: ignore[arg-type]

    async def _store(self, header: Header, sha256: str, nbytes: int) -> tuple[int, ResultStored]:
        at, job_id = self._room.now(), self._record.id
        floor = self._room.progress.version(job_id)
        row = ResultRow(
            job_id=job_id,
            attempt=self._attempt,
            digest=self._digest,
            header=self._splitter.header or b"",
            blob_sha256=sha256,
            blob_bytes=nbytes,
            small=header.small,
            stored_at=at,
        )
        busy_s = header.provenance.busy_s if header.provenance is not None else 0.0
        event = Event(kind=EventKind.RESULT_STORED, at=at, attempt=self._attempt, busy_s=busy_s)

        def unit(connection: Connection) -> Change:
            record = find(connection, job_id)
            change = carry_out(connection, record, advance(record.job, event), at, floor=floor)
            if change.changed:
                facts.add_result(connection, row)
            return change

        change = await self._room.store.write(unit)
        reach("result_after_commit")
        self._room.send(change)
        if not change.changed:
            return KNOWN, await self._verdict()
        return STORED, ResultStored(accepted=True, status="completed")


def _forget(task: asyncio.Task[None], writer: BlobWriter) -> None:
    if not task.cancelled():
        task.exception()
    writer.abort()


def _load(connection: Connection, job_id: str) -> tuple[JobRecord, ResultRow | None]:
    return find(connection, job_id), facts.result(connection, job_id)


def _parse(header: bytes | None) -> Header:
    try:
        return decode_header(header or b"")
    except msgspec.MsgspecError as error:
        raise Rejected(f"The result header is not as expected: {error}", code="bad_result") from error

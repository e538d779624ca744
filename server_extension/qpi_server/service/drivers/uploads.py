"""A driver delivers a result: streamed in with constant memory, stored before it is acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from qpi_jupyter.core import Event, EventKind, Faulted, NotFound, QpiError, TooLarge, advance, check_archive
from qpi_jupyter.wire.faultpoint import reach
from qpi_jupyter.wire.rest import ResultStored
from qpi_jupyter.wire.results import ResultHeader, Splitter, read_header
from qpi_server.service.base import Context, Tx
from qpi_server.service.lifecycle import Change, Lifecycle, carry_out, check_result, due, find, is_small
from qpi_server.store import BlobWriter, JobRecord, ResultRow, facts

log = logging.getLogger(__name__)
_IN_THREAD = 1 << 20
"""This many bytes are hashed and written at once, off the event loop."""
STORED, KNOWN = 201, 200


class Upload:
    """One result on its way in: `feed` the body, then `finish`; `abort` if it breaks off."""

    def __init__(
        self, context: Context, lifecycle: Lifecycle, record: JobRecord, attempt: int, digest: str, *, wanted: bool
    ) -> None:
        self._context, self._lifecycle, self._db = context, lifecycle, context.db
        self._record, self._attempt, self._digest = record, attempt, digest
        self._splitter = Splitter(digest)
        self._writer: BlobWriter | None = context.blobs.writer() if wanted else None
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
        if self._total > (limit := self._context.config.result_limit_bytes):
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
            cut short, a wrong checksum, or a result that cannot be this job's: that ends the attempt.
        Unavailable
            the disk is full.
        """
        # Everything is here. A sender that goes away now (`abort`) takes nothing back: row and data come together.
        writer, self._writer = self._writer, None
        if writer is None:
            return KNOWN, await self._verdict()
        try:
            return await self._keep(writer)
        except QpiError as error:
            await self.refuse(error)
            raise

    async def refuse(self, error: QpiError) -> None:
        """End the attempt, if ``error`` says that its result can never be taken: it is the bench's fault."""
        if error.code != "bad_result" or self._splitter.header is None:
            return  # damaged on its way: the driver sends it again
        log.warning("job %s, attempt %d: %s", self._record.id, self._attempt, error.message)
        fault = Faulted(f"The driver delivered a result that cannot be used: {error.message}", code="bad_result")
        event = Event(kind=EventKind.INTERRUPTED, at=self._context.now(), attempt=self._attempt, error=fault.to_dict())
        with contextlib.suppress(NotFound):  # deleted meanwhile
            await self._lifecycle.advance(self._record.id, event)

    async def _keep(self, writer: BlobWriter) -> tuple[int, ResultStored]:
        at = self._context.now()
        with contextlib.ExitStack() as kept:
            try:
                await self._settle()
                header, data = await asyncio.to_thread(self._last, self._drain(), writer, kept, at)
            except BaseException:
                writer.abort()
                raise
            reach("result_blob_stored")
            return await self._store(header, data["sha256"], data["bytes"])

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
        self, data: bytes, writer: BlobWriter, kept: contextlib.ExitStack, at: datetime
    ) -> tuple[ResultHeader, dict[str, Any]]:  # Any: see the splitter
        """The rest of the stream: looked at, then put in its place. Blocking."""
        self._take(data, writer)
        dataset = self._splitter.finish()["dataset"]
        header = read_header(self._splitter.header or b"")
        check_result(header, self._db.glance(lambda connection: due(connection, self._record, self._attempt, at)))
        writer.examine(check_archive)
        kept.enter_context(self._context.blobs.keeping(dataset["sha256"]))
        writer.publish(dataset["sha256"])
        return header, dataset

    async def _verdict(self) -> ResultStored:
        record, result = await self._db.read(lambda c: _load(c, self._record.id))
        accepted = result is not None and (result.attempt, result.digest) == (self._attempt, self._digest)
        return ResultStored(accepted=accepted, status=record.job.state.status)  # type: ignore[arg-type]

    async def _store(self, header: ResultHeader, sha256: str, nbytes: int) -> tuple[int, ResultStored]:
        at, job_id = self._context.now(), self._record.id
        row = ResultRow(
            job_id=job_id,
            attempt=self._attempt,
            digest=self._digest,
            header=self._splitter.header or b"",
            blob_sha256=sha256,
            blob_bytes=nbytes,
            small=is_small(header),
            stored_at=at,
        )
        busy_s = header.provenance.busy_s if header.provenance is not None else 0.0
        calibration_id = header.provenance.calibration_id if header.provenance is not None else ""
        event = Event(kind=EventKind.RESULT_STORED, at=at, attempt=self._attempt, busy_s=busy_s)

        def unit(tx: Tx) -> Change:
            record = replace(find(tx.connection, job_id), calibration_id=calibration_id or None)
            change = carry_out(tx, record, advance(record.job, event), seen=self._lifecycle.progress.version)
            if change.changed:
                facts.add_result(tx.connection, row)
            return change

        change = await self._db.write(unit, at=at)
        reach("result_after_commit")
        if not change.changed:
            return KNOWN, await self._verdict()
        return STORED, ResultStored(accepted=True, status="completed")


def _forget(task: asyncio.Task[None], writer: BlobWriter) -> None:
    if not task.cancelled():
        task.exception()
    writer.abort()


def _load(connection: Connection, job_id: str) -> tuple[JobRecord, ResultRow | None]:
    return find(connection, job_id), facts.result(connection, job_id)

"""A result on its way in: gathered into blocks that are hashed and written while the next one is read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from qpi_jupyter.core.errors import QpiError

if TYPE_CHECKING:
    from qpi_jupyter.wire.rest import ResultStored
    from qpi_server.service import Upload

BLOCK_BYTES = 1 << 20


class UploadSink:
    """Feeds an upload, one block ahead; memory stays at two blocks.

    An error stops the writing, not the reading: the sender hears of it after its last byte, where it listens.
    """

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._block: list[bytes] = []
        self._size = 0
        self._writing: asyncio.Task[None] | None = None
        self._error: QpiError | None = None

    async def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        if self._error is not None:
            return
        self._block.append(chunk)
        self._size += len(chunk)
        if self._size >= BLOCK_BYTES:
            await self._turn_over()

    async def finish(self) -> tuple[int, ResultStored]:
        """The lab's answer, after the last chunk.

        Raises
        ------
        QpiError
            the result is cut, damaged or too large.
        """
        await self._turn_over()
        await self._written()
        if self._error is not None:
            raise self._error
        return await self._upload.finish()

    def abort(self) -> None:
        """Forget what has come, if the lab did not take it."""
        if self._writing is not None:
            self._writing.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._upload.abort()

    async def _turn_over(self) -> None:
        await self._written()
        if self._block and self._error is None:
            self._writing = asyncio.create_task(self._upload.feed(b"".join(self._block)))
        self._block, self._size = [], 0

    async def _written(self) -> None:
        try:
            if self._writing is not None:
                await self._writing
        except QpiError as error:
            self._error = error
        finally:
            self._writing = None

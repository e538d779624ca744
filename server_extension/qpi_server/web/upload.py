"""A result on its way in, as a sink of the request's body."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qpi_jupyter.core.errors import QpiError

if TYPE_CHECKING:
    from qpi_jupyter.wire.rest import ResultStored
    from qpi_server.service import Upload


class UploadSink:
    """Feeds an upload.

    An error stops the storing, not the reading: the sender hears of it after its last byte, where it listens.
    """

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._error: QpiError | None = None

    async def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        if self._error is not None:
            return
        try:
            await self._upload.feed(chunk)
        except QpiError as error:
            self._error = error
            self._upload.abort()

    async def finish(self) -> tuple[int, ResultStored]:
        """The lab's answer, after the last chunk.

        Raises
        ------
        QpiError
            the result is cut, damaged or too large.
        """
        if self._error is not None:
            raise self._error
        return await self._upload.finish()

    def abort(self) -> None:
        """Forget what has come, if the lab did not take it."""
        self._upload.abort()

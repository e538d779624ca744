"""A way to a lab that takes longer: a TCP relay which holds back each piece for a while, in both directions."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

_BLOCK = 1 << 16


class Relay:
    """Passes connections on to ``port`` of this machine, with ``delay_s`` each way; open as a context.

    It delays and drops nothing: a connection has the bandwidth that it has without it, and the order.
    """

    def __init__(self, port: int, delay_s: float) -> None:
        self._target, self._delay_s = port, delay_s
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="qpi-relay", daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._pass, "127.0.0.1", 0), self._loop
        ).result()
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exc: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                async with asyncio.TaskGroup() as group:
                    for source, sink in ((reader, back), (there, writer)):
                        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(1_024)
                        group.create_task(self._read(source, pieces))
                        group.create_task(self._write(pieces, sink))
            except* OSError:
                pass
            finally:
                back.close()
        writer.close()

    async def _read(self, source: asyncio.StreamReader, pieces: asyncio.Queue[tuple[float, bytes]]) -> None:
        while True:
            data = await source.read(_BLOCK)
            await pieces.put((self._loop.time() + self._delay_s, data))
            if not data:
                return

    async def _write(self, pieces: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter) -> None:
        while True:
            due, data = await pieces.get()
            await asyncio.sleep(due - self._loop.time())
            if not data:
                sink.write_eof()  # what comes the other way is not lost
                return
            sink.write(data)
            await sink.drain()

"""The least that a server of jobs does: Tornado alone decodes a submit and stores it with group commit. Nobody signs
in, and nothing is checked.

    python -m benchmarks.floor DATABASE

Prints its port once it listens.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.rest import decode

Waiting = tuple[bytes, asyncio.Future[int]]


class Rows:
    """One writer thread; everything that waits when it wakes shares a commit, as durable as the lab's."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[Waiting] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def add(self, row: bytes) -> asyncio.Future[int]:
        """Store ``row``; its number, once it is on disk."""
        future: asyncio.Future[int] = self._loop.create_future()
        self._waiting.put((row, future))
        return future

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE jobs (body BLOB);")
        numbers = itertools.count(1)
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO jobs VALUES (?)", [(row,) for row, _ in batch])
            connection.execute("COMMIT")
            self._loop.call_soon_threadsafe(_resolve, [(future, next(numbers)) for _, future in batch])


def _resolve(stored: list[tuple[asyncio.Future[int], int]]) -> None:
    for future, number in stored:
        future.set_result(number)


class Jobs(RequestHandler):
    """``POST`` a job."""

    def initialize(self, rows: Rows) -> None:
        self._rows = rows

    async def post(self) -> None:
        """Decode it as the lab does, and answer once it is stored."""
        submit = decode(self.request.body, SubmitRequest)
        number = await self._rows.add(msgspec.json.encode(submit))
        self.set_status(201)
        self.set_header("Content-Type", "application/json")
        self.write(msgspec.json.encode({"id": number}))


async def serve(path: str) -> None:
    """Until it is killed."""
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(Application([(r".*", Jobs, {"rows": Rows(path)})], log_function=lambda _: None)).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def floor() -> Iterator[tuple[str, int]]:
    """Such a server in a process of its own: its address and its process id."""
    with tempfile.TemporaryDirectory(prefix="qpi-floor-") as folder:
        command = [sys.executable, "-m", __name__, str(Path(folder) / "floor.sqlite3")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield f"http://127.0.0.1:{int(process.stdout.readline())}/", process.pid
            finally:
                process.kill()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))

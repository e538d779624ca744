"""A driver that does as the test says: the wire's own `Peer` over a real WebSocket, and results by hand."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import msgspec
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from qpi_jupyter.core.formats import BUILT_IN
from qpi_jupyter.core.manifest import Estimate, Manifest
from qpi_jupyter.wire import WIRE_VERSION, frames, results
from qpi_jupyter.wire.peer import Peer, Send

MANIFEST = Manifest(
    executor="scripted", executor_version="1", num_qubits=5, formats=tuple(BUILT_IN), basis_gates=("h", "cx")
)
CIRCUIT: dict[str, Any] = {
    "name": "bell", "circuit": 0, "row": None, "shots": 10, "meas_level": 2, "meas_return": "single",
    "creg_sizes": [["c", 2]], "qreg_sizes": [["q", 2]], "memory_slots": 2, "n_qubits": 2, "seed": 1, "metadata": {},
    "counts": {"0x0": 4, "0x3": 6}, "truncated": False, "memory": None,
}  # fmt: skip


def result(data: bytes, *, counts: dict[str, int] | None = None) -> tuple[bytes, str]:
    """A whole upload whose blob is ``data``, and its digest."""
    head, digest = result_head(hashlib.sha256(data).hexdigest(), len(data), counts=counts)
    return head + data, digest


def result_head(sha256: str, nbytes: int, *, counts: dict[str, int] | None = None) -> tuple[bytes, str]:
    """What precedes a blob, and the upload's digest."""
    circuit = {**CIRCUIT, "counts": counts or CIRCUIT["counts"]}
    header = {"v": 1, "success": True, "circuits": [circuit], "provenance": None}
    encoded = results.encode_header(header, sha256=sha256, nbytes=nbytes)
    return results.prefix(encoded), results.digest(encoded)


class ScriptedDriver:
    """One open link."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.peer = Peer(send, handlers={frames.PREPARE: self._prepare}, listeners={frames.ABORT: self._abort})
        self.epoch = 0
        self.aborted: asyncio.Queue[frames.Abort] = asyncio.Queue()

    async def hello(self, name: str = "d", held: list[frames.Held] | None = None, **more: Any) -> frames.Welcome:
        body = frames.Hello(
            name=name, version="0", instance="i", places=1, manifest=MANIFEST, wire=WIRE_VERSION,
            held=held or [], **more,
        )  # fmt: skip
        welcome = await self.peer.request(frames.HELLO, body, frames.Welcome, timeout=10)
        self.epoch = welcome.epoch
        return welcome

    async def claim(self) -> frames.Assignment:
        """The next job; asks again as often as it takes."""
        while True:
            job = await self.peer.request(frames.CLAIM, frames.Claim(epoch=self.epoch), frames.Assignment, timeout=30)
            if job.job_id:
                return job

    async def _prepare(self, _data: Any) -> frames.Prepared:
        return frames.Prepared(estimate=Estimate(estimate_s=0.1, upper_s=1.0))

    async def _abort(self, data: Any) -> None:
        self.aborted.put_nowait(msgspec.json.decode(data, type=frames.Abort))


@asynccontextmanager
async def websocket(url: str, token: str) -> AsyncIterator[WebSocketClientConnection]:
    """An open WebSocket; its file is closed at the end, whoever hung up first."""
    connection = await websocket_connect(HTTPRequest(url, headers={"Authorization": f"Bearer {token}"}))
    assert connection.protocol is not None
    stream = connection.protocol.stream
    try:
        yield connection
    finally:
        connection.close()
        stream.close()
        await asyncio.sleep(0)


@asynccontextmanager
async def link(url: str, token: str) -> AsyncIterator[ScriptedDriver]:
    """A driver whose link to the lab at ``url`` is open and who has said nothing yet."""
    async with websocket(f"ws{url[4:]}qpi/v1/link", token) as socket:
        send: Send = socket.write_message  # type: ignore[assignment]
        driver = ScriptedDriver(send)

        async def read() -> None:
            while (message := await socket.read_message()) is not None:
                await driver.peer.receive(message)
            driver.peer.close()

        reading = asyncio.create_task(read())
        try:
            yield driver
        finally:
            reading.cancel()
            driver.peer.close()


def register(admin: httpx.Client, qpu: str, name: str = "d", *, kind: str = "pool") -> str:
    """A new driver of ``qpu``, which is made if it is not there; its token."""
    if admin.get(f"qpi/v1/qpus/{qpu}").status_code == 404:
        assert admin.post("qpi/v1/qpus", json={"name": qpu, "kind": kind}).status_code == 201
    answer = admin.post("qpi/v1/drivers", json={"name": name, "qpu": qpu})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])

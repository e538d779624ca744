"""Drivers without an executor: one takes a job over the real link and delivers a file as its result; others are only
there."""

from __future__ import annotations

import asyncio
import itertools
import platform
import threading
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from qpi_jupyter.core.formats import BUILT_IN
from qpi_jupyter.core.manifest import Estimate, Manifest
from qpi_jupyter.wire import WIRE_VERSION, frames, results
from qpi_jupyter.wire.peer import Peer

from .harness import BELL

T = TypeVar("T")
_names = itertools.count(1)


MANIFEST = Manifest(
    executor="bench",
    executor_version="1",
    num_qubits=2,
    formats=tuple(BUILT_IN),
    basis_gates=("h", "cx"),
    meas_levels=(1, 2),
)


class Link:
    """A driver's open link, which answers every check with a small estimate and sends heartbeats."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self.token = url, token

    async def open(self) -> None:
        """Dial in and say hello."""
        request = HTTPRequest(
            f"ws{self._url.removeprefix('http')}qpi/v1/link", headers={"Authorization": f"Bearer {self.token}"}
        )
        self._socket = await websocket_connect(request)

        async def send(text: str) -> None:
            await self._socket.write_message(text)

        async def prepare(_data: object) -> frames.Prepared:
            return frames.Prepared(estimate=Estimate(estimate_s=0.1, upper_s=1.0))

        self.peer = Peer(send, handlers={frames.PREPARE: prepare})
        self._reader = asyncio.create_task(self._read())
        hello = frames.Hello(
            name="bench", version="1", instance="bench", places=1, manifest=MANIFEST, wire=WIRE_VERSION
        )
        welcome = await self.peer.request(frames.HELLO, hello, frames.Welcome, timeout=60)
        self.epoch = welcome.epoch
        self._beats = asyncio.create_task(self._beat(welcome.heartbeat_s))

    async def close(self) -> None:
        """Hang up."""
        self._beats.cancel()
        self.peer.close()
        self._socket.close()
        await asyncio.gather(self._reader, self._beats, return_exceptions=True)

    async def _read(self) -> None:
        while (text := await self._socket.read_message()) is not None:
            await self.peer.receive(text)

    async def _beat(self, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            await self.peer.publish(frames.HEARTBEAT, frames.Heartbeat(epoch=self.epoch))


class Driver:
    """A new QPU with ``links`` drivers, which dial in from a thread; the first of them takes jobs."""

    def __init__(self, url: str, token: str, links: int = 1) -> None:
        self._url, self._count = url, links
        self._http = httpx.Client(headers={"Authorization": f"token {token}"}, timeout=300)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="bench-driver")

    def __enter__(self) -> Driver:
        self._thread.start()
        self.qpu = f"bench-{platform.node() or 'x'}-{next(_names)}".replace("_", "-")[:60]
        self._post("qpus", {"name": self.qpu, "kind": "pool"})
        names = [f"{self.qpu}-{number}" for number in range(self._count)]
        self._links = [
            Link(self._url, self._post("drivers", {"name": name, "qpu": self.qpu})["token"]) for name in names
        ]
        for link in self._links:
            self._run(link.open())
        return self

    def __exit__(self, *exc: object) -> None:
        for link in self._links:
            self._run(link.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._http.close()

    def take_job(self) -> tuple[str, int]:
        """Submit a job to the own QPU and claim it; its id and attempt."""
        body = {"program": {"format": "openqasm3", "sources": [BELL]}, "qpu": self.qpu, "options": {"meas_level": 1}}
        self._post("jobs", body)
        link = self._links[0]
        claim = frames.Claim(epoch=link.epoch)
        job = self._run(link.peer.request(frames.CLAIM, claim, frames.Assignment, timeout=30))
        started = frames.Started(epoch=link.epoch, job_id=job.job_id, attempt=job.attempt, at=datetime.now(UTC))
        self._run(link.peer.publish(frames.STARTED, started))
        return job.job_id, job.attempt

    def put_result(self, job_id: str, attempt: int, source: Path) -> None:
        """Upload ``source``, a result in wire format, as the attempt's."""
        self._run(self._put(job_id, attempt, source))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._http.post(f"{self._url}qpi/v1/{path}", json=body)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(300)

    async def _put(self, job_id: str, attempt: int, source: Path) -> None:
        with source.open("rb") as file:
            length = int.from_bytes(file.read(results.PREFIX_BYTES)[len(results.MAGIC) :], "big")
            digest = results.digest(file.read(length))

        async def body() -> AsyncIterator[bytes]:
            with source.open("rb") as file:
                while chunk := file.read(1 << 20):
                    yield chunk

        headers = {
            "Authorization": f"Bearer {self._links[0].token}",
            results.DIGEST_HEADER: digest,
            "Content-Length": str(source.stat().st_size),
        }
        async with httpx.AsyncClient(timeout=300) as http:
            url = f"{self._url}qpi/v1/jobs/{job_id}/attempts/{attempt}/result"
            (await http.put(url, content=body(), headers=headers)).raise_for_status()

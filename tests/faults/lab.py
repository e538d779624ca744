"""A lab in one process for tests: scripted drivers over in-memory links, and a clock that stands still."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import heapq
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.calibrations import Calibration
from qpi_jupyter.core.formats import BUILT_IN
from qpi_jupyter.core.manifest import Estimate, Manifest
from qpi_jupyter.wire import WIRE_VERSION, frames, results
from qpi_jupyter.wire.frames import (
    MAX_FRAME_BYTES,
    Abort,
    Assignment,
    Claim,
    Heartbeat,
    Held,
    Hello,
    Prepare,
    Prepared,
    Progress,
    Report,
    Reported,
    Started,
    Welcome,
)
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.peer import Handler, Peer, Raw, parse
from qpi_jupyter.wire.rest import DriverIn, OptionsIn, ProgramIn, QpuIn, ResultStored
from qpi_server.bus.hub import Connection
from qpi_server.service import Clock, Lab, LabConfig
from qpi_server.service.links import Link
from tests.support.blobs import zipped
from tests.support.template import prepare

ANN = Principal(name="ann", roles=frozenset({Role.USER}))
BOB = Principal(name="bob", roles=frozenset({Role.USER}))
ADMIN = Principal(name="root", roles=frozenset({Role.ADMIN}))
BELL = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; creg c[2]; h q[0]; cx q[0],q[1]; measure q -> c;'
SIMULATOR = Manifest(
    executor="fake", executor_version="1", num_qubits=5, formats=tuple(BUILT_IN), basis_gates=("h", "cx")
)
HARDWARE = replace(SIMULATOR, simulator=False)
DATA = zipped()
"""What a driver delivers unless told otherwise."""
QUICK = Estimate(estimate_s=0.01, upper_s=1.0, memory_bytes=1 << 20)


class FrozenClock(Clock):
    """Moves only when told to."""

    def __init__(self) -> None:
        self._elapsed = 0.0
        self._due: list[tuple[float, int, _Timer]] = []
        self._ids = itertools.count()

    def now(self) -> datetime:
        return datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def call_at(self, moment: float, callback: Callable[[], None]) -> _Timer:
        timer = _Timer(callback)
        heapq.heappush(self._due, (moment, next(self._ids), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Let time pass; everything that falls due meanwhile happens at its own moment."""
        end = self._elapsed + seconds
        while self._due and self._due[0][0] <= end:
            moment, _, timer = heapq.heappop(self._due)
            self._elapsed = max(self._elapsed, moment)
            timer.fire()
        self._elapsed = end


class _Timer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def fire(self) -> None:
        if self._callback is not None:
            self._callback()


class ScriptedDriver:
    """A driver that does what the test says, over a link in memory."""

    def __init__(
        self, lab: Lab, principal: Principal, *, manifest: Manifest = SIMULATOR, places: int = 1, **hello: Any
    ) -> None:
        self.lab, self.principal, self.manifest, self.places = lab, principal, manifest, places
        self.hello = hello
        self.epoch = 0
        self.aborts: asyncio.Queue[Abort] = asyncio.Queue()
        self.recalls: asyncio.Queue[Abort] = asyncio.Queue()
        self.drains = asyncio.Event()
        self.closed: list[str] = []
        self.prepared: list[Prepare] = []
        self.answer: Callable[[Prepare], Prepared] = lambda prepare: Prepared(estimate=QUICK)
        self.silent = False
        """Take checks and do not answer them."""
        self.link: Link

    async def connect(self, held: list[Held] | None = None) -> Welcome:
        """Open a link and say hello."""
        self.connection = Connection(self.lab.buses.hub, self.principal.name, self._to_driver, self._closed)
        listeners = {frames.ABORT: self._abort, frames.RECALL: self._recall, frames.DRAIN: self._drain}
        self.handlers: dict[str, Handler] = {frames.PREPARE: self.prepare}
        self.peer = Peer(self.connection.peer.receive, handlers=self.handlers, listeners=listeners)
        return await self.greet(held)

    async def greet(self, held: list[Held] | None = None) -> Welcome:
        """Say hello on the link that is open."""
        hello = Hello(
            name="fake",
            version="1",
            instance="i",
            places=self.places,
            manifest=self.manifest,
            held=held or [],
            wire=WIRE_VERSION,
            **{"max_frame_bytes": MAX_FRAME_BYTES, **self.hello},
        )
        welcome = await self.peer.request(frames.HELLO, hello, Welcome)
        self.epoch = welcome.epoch
        link = self.lab.links.get(self.principal.name)
        assert link is not None
        self.link = link
        return welcome

    def unplug(self) -> None:
        """The link breaks."""
        self.peer.close()
        self.connection.closed()

    async def claim(self) -> Assignment:
        return await self.peer.request(frames.CLAIM, Claim(epoch=self.epoch), Assignment)

    async def started(self, job: Assignment) -> None:
        body = Started(epoch=self.epoch, job_id=job.job_id, attempt=job.attempt, at=datetime.now(UTC))
        await self.peer.publish(frames.STARTED, body)

    async def progress(self, job: Assignment, fraction: float) -> None:
        body = Progress(epoch=self.epoch, job_id=job.job_id, attempt=job.attempt, fraction=fraction)
        await self.peer.publish(frames.PROGRESS, body)

    async def heartbeat(self, *held: Held) -> None:
        await self.peer.publish(frames.HEARTBEAT, Heartbeat(epoch=self.epoch, held=list(held)))

    async def report(self, job: Assignment, outcome: str, **fields: Any) -> bool:
        body = Report(epoch=self.epoch, job_id=job.job_id, attempt=job.attempt, outcome=outcome, **fields)
        return (await self.peer.request(frames.REPORT, body, Reported)).accepted

    async def deliver(self, job: Assignment, *, attempt: int | None = None, **result: Any) -> tuple[int, ResultStored]:
        if job.program is not None:
            result.setdefault("shots", job.program.options.shots)
        return await self.upload(job, job.attempt if attempt is None else attempt, *encode(**result))

    async def upload(self, job: Assignment, attempt: int, header: bytes, blob: bytes) -> tuple[int, ResultStored]:
        upload = await self.lab.drivers.upload(self.principal, job.job_id, attempt, results.digest(header))
        try:
            await upload.feed(results.prefix(header) + blob)
            return await upload.finish()
        finally:
            upload.abort()

    async def recalibrate(self, calibration: Calibration) -> bool:
        body = frames.Calibrated(epoch=self.epoch, calibration=calibration)
        return (await self.peer.request(frames.CALIBRATED, body, Reported)).accepted

    async def run(self) -> Assignment:
        """One whole trip: claim, start, deliver."""
        job = await self.claim()
        await self.started(job)
        await self.deliver(job)
        return job

    def _closed(self, reason: str) -> None:
        self.closed.append(reason)
        self.peer.close()

    async def _to_driver(self, text: str) -> None:
        await self.peer.receive(text)

    async def prepare(self, data: Raw) -> Prepared:
        """What it says of a program."""
        prepare = parse(data, Prepare)
        self.prepared.append(prepare)
        if self.silent:
            await asyncio.get_running_loop().create_future()
        return self.answer(prepare)

    async def _recall(self, data: Raw) -> None:
        self.recalls.put_nowait(parse(data, Abort))

    async def _drain(self, data: Raw) -> None:
        self.drains.set()

    async def _abort(self, data: Raw) -> None:
        self.aborts.put_nowait(parse(data, Abort))


def encode(
    counts: dict[str, int] | None = None,
    blob: bytes = DATA,
    busy_s: float = 0.25,
    bits: int = 2,
    shots: int = 100,
    calibration_id: str = "",
) -> tuple[bytes, bytes]:
    """A result's header and data."""
    circuit = {
        "name": "bell",
        "circuit": 0,
        "row": 0,
        "shots": shots,
        "meas_level": 2,
        "meas_return": "single",
        "creg_sizes": [["c", bits]],
        "qreg_sizes": [["q", 2]],
        "memory_slots": bits,
        "n_qubits": 2,
        "seed": None,
        "metadata": {},
        "counts": {"0x0": shots - shots * 2 // 5, "0x3": shots * 2 // 5} if counts is None else counts,
        "truncated": False,
        "memory": None,
    }
    header = {
        "v": 1,
        "success": True,
        "circuits": [circuit],
        "provenance": {"busy_s": busy_s, "calibration_id": calibration_id},
    }
    return results.encode_header(header, sha256=hashlib.sha256(blob).hexdigest(), nbytes=len(blob)), blob


def bell(qpu: str | None = "q1", **fields: Any) -> SubmitRequest:
    """A request to run a Bell pair."""
    options = fields.pop("options", None) or OptionsIn(shots=100)
    source = fields.pop("source", BELL)
    program = ProgramIn(format="openqasm2", sources=[source])
    return SubmitRequest(program=program, options=options, qpu=qpu, **fields)


async def driver_of(lab: Lab, qpu: str, name: str, **options: Any) -> ScriptedDriver:
    """A newly registered driver, not connected yet."""
    registered = await lab.registration.register(ADMIN, DriverIn(name=name, qpu=qpu), address="http://lab")
    return ScriptedDriver(lab, await lab.authenticator.authenticate(registered.token), **options)


@contextlib.asynccontextmanager
async def open_lab(folder: Path, *, clock: Clock | None = None, **settings: Any) -> AsyncIterator[Lab]:
    prepare(folder)
    lab = await Lab.open(LabConfig(lab_dir=folder, **settings), clock=clock)
    try:
        yield lab
    finally:
        await lab.close()


@contextlib.asynccontextmanager
async def small_lab(
    folder: Path,
    *,
    kind: str = "pool",
    clock: Clock | None = None,
    driver: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[Lab, ScriptedDriver]]:
    """A lab with one QPU, ``q1``, and a driver of it, not connected yet."""
    async with open_lab(folder, clock=clock, **settings) as lab:
        await lab.qpus.create(ADMIN, QpuIn(name="q1", kind=kind))
        yield lab, await driver_of(lab, "q1", "d1", **(driver or {}))


async def turn(times: int = 20) -> None:
    """Let everything that is ready run."""
    for _ in range(times):
        await asyncio.sleep(0)


async def settled(lab: Lab) -> None:
    """Until what was asked of the store, and what that led to, is written and said."""
    for _ in range(10):
        await turn()
        await lab.context.db.store.write(lambda _connection: None)
        await lab.context.db.read(lambda _connection: None)
    await turn()

"""The agent: its parts put together, and how it starts and drains."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import uuid

from msgspec.structs import replace

from qpi_jupyter._version import __version__
from qpi_jupyter.core import Calibration, Manifest, QpiError, calibration_of
from qpi_jupyter.wire import WIRE_VERSION
from qpi_jupyter.wire.bus import Credential
from qpi_jupyter.wire.frames import (
    MAX_FRAME_BYTES,
    Hello,
    LogLine,
    Prepare,
    Prepared,
    Previewed,
    ProgramRef,
    Reading,
    Welcome,
)
from qpi_jupyter.wire.tasks import ended

from .bench import Bench
from .checker import Checker
from .link import Link
from .messages import Check, Key, Open, Role
from .meter import Meter
from .place import Outcome, Place
from .previewer import Previewer
from .process import ForkServer
from .settings import Settings
from .spool import Spool
from .telemetry import Gauges, LogTail, secrets_of
from .transfer import Transfer
from .trust import trust

log = logging.getLogger(__name__)
_LAST_WORDS_S = 3.0


class Agent:
    """One driver. `run` lasts as long as it lives."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._instance = uuid.uuid4().hex
        self._manifest: asyncio.Future[Manifest] = asyncio.get_running_loop().create_future()
        self._calibration: Calibration | None = None
        """What runs are measured with, where a run child has said so; before: what the manifest says."""
        self._context: ssl.SSLContext | None = None
        self._trusted = False
        self._forks = ForkServer(settings.executor, settings.fork_fd)
        self._spool = Spool(settings.data_dir)
        self._transfer = Transfer(settings.qpi_addr, settings.token, self._spool, self._settled)
        credential = Credential(token=settings.token, trust=self._trust)
        self._link = Link(settings.qpi_addr.base, settings.bus, credential, self)
        self.bench = Bench(self._link, self._spool, self._transfer, timeout_s=settings.job_timeout)
        self.bench.places = [
            Place(self._opening("run"), self._forks, self._spool, self.bench, settings.stop_grace)
            for _ in range(settings.places)
        ]
        self._checker = Checker(self._opening("check"), self._forks, timeout_s=settings.check_timeout)
        self._meter = Meter(self._opening("read"), self._forks)
        self._previewer = Previewer(self._opening("check"), self._forks)
        self._gauges = Gauges(self._forks.pids)
        self._tail = LogTail(secrets_of(settings.token, settings.options.items()))
        self._changed = asyncio.Event()
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Serve until drained.

        Raises
        ------
        QpiError
            the executor cannot be used, or the lab refuses the driver.
        """
        self._hear_signals()
        logging.getLogger().addHandler(self._tail)
        try:
            await self._serve()
        finally:
            await self._close()
            logging.getLogger().removeHandler(self._tail)

    async def _serve(self) -> None:
        self.bench.warm_up()
        forever = [self._check(), self._dial(), *(place.live() for place in self.bench.places)]
        tasks = [asyncio.create_task(work) for work in forever]
        drained = asyncio.create_task(self._drained())
        try:
            done, _ = await asyncio.wait([*tasks, drained], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self._link.say_logged()
        finally:
            self._link.end()
            await ended(*tasks, drained)

    async def _check(self) -> None:
        self._manifest.set_result(await self._checker.start())
        await asyncio.gather(self._checker.live(), *([self._meter.live()] if self._checker.reads else []))

    async def _dial(self) -> None:
        await self._manifest
        for entry in self._spool.entries():
            self._transfer.deliver(entry.key)
        await self._link.live()

    async def _drained(self) -> None:
        """Returns when a drain was asked for and has come to its end."""
        await self._ending.wait()
        log.info("draining: no more jobs; what runs has %g s", self._settings.drain_timeout)
        self.bench.drain()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_timeout):
                while not self.bench.idle:
                    self._changed.clear()
                    await self._changed.wait()
            return
        self.bench.interrupt()
        # What was just asked to stop is killed after two graces, and its report is worth a moment.
        grace_s = 2 * (self._settings.stop_grace or 5.0) + _LAST_WORDS_S
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                while self.bench.owes_reports:
                    self._changed.clear()
                    await self._changed.wait()

    async def _close(self) -> None:
        await self._link.close()
        await self.bench.close()
        await self._transfer.close()
        await asyncio.gather(
            self._checker.close(),
            self._previewer.close(),
            self._meter.close(),
            *(place.close() for place in self.bench.places),
        )
        self._forks.close()
        self._spool.close()

    # --- how it ends ---------------------------------------------------------------------------------------------

    def _hear_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled, number)
        if (fd := self._settings.parent_fd) is not None:
            loop.add_reader(fd, self._parent_wrote, fd)

    def _signalled(self, number: signal.Signals) -> None:
        if self._ending.is_set():
            log.warning("%s again: ending at once", number.name)
            os._exit(128 + number)  # the children follow: their lifeline ends
        self.drain()

    def _parent_wrote(self, fd: int) -> None:
        if not os.read(fd, 4096):
            log.info("the server that started this driver has ended; so does the driver")
            os._exit(0)

    # --- whom the link asks --------------------------------------------------------------------------------------

    def hello(self) -> Hello:
        return Hello(
            name=self._settings.name,
            version=__version__,
            instance=self._instance,
            wire=WIRE_VERSION,
            places=self._settings.places,
            manifest=self._calibrated(),
            host=socket.gethostname(),
            draining=self.bench.draining,
            allow_simulator=self._settings.allow_simulator,
            memory_cap_bytes=self._settings.memory_cap,
            job_timeout_s=self._settings.job_timeout,
            held=self.bench.held(),
            max_frame_bytes=MAX_FRAME_BYTES,
            pings=True,
        )

    def _calibrated(self) -> Manifest:
        """What the executor can do, with the values that the next run is measured with."""
        manifest = self._manifest.result()
        return manifest if self._calibration is None else self._calibration.into(manifest)

    def recalibrated(self, calibration: Calibration) -> bool:
        known, self._calibration = self._calibration, calibration
        if known is None:
            known = calibration_of(self._manifest.result()) if self._manifest.done() else calibration
        return known.id != calibration.id

    def welcomed(self, welcome: Welcome) -> None:
        for held in welcome.drop:
            self.bench.drop(Key(held.job_id, held.attempt))
        self._transfer.retry()

    def readings(self) -> list[Reading]:
        own = self._gauges.read(staged=self.bench.staged, running=len(self.bench.running()), run_s=self.bench.run_s)
        return own + self._meter.take()

    def logged(self) -> list[LogLine]:
        return self._tail.take()

    def drain(self) -> None:
        """Take no more jobs, finish, end."""
        self._ending.set()

    def reported(self, key: Key) -> None:
        self.bench.forget(key)
        self._changed.set()

    async def prepare(self, request: Prepare) -> Prepared:
        key, seed = request.key, request.compile_seed
        target = None if seed is None else self._calibrated()
        if target is not None:
            key = f"{key} {seed} {target.calibration_id}"

        async def load() -> Check:
            return Check(program=await self._loaded(request.program), target=target, seed=seed or 0)

        return await self._checker.prepare(key, request.person, load)

    async def preview(self, request: Prepare) -> Previewed:
        return await self._previewer.preview(await self._loaded(request.program))

    async def _loaded(self, program: ProgramRef) -> ProgramRef:
        return replace(program, sources=program.sources or await self._transfer.fetch(program.sha256))

    async def _trust(self) -> ssl.SSLContext | None:
        settings = self._settings
        if not self._trusted:
            self._context = await trust(
                settings.qpi_addr, ca_file=settings.ca_file, fingerprint=settings.ca_fingerprint
            )
            self._trusted = True
            self._transfer.connect(self._context)
        return self._context

    def _settled(self, key: Key, error: QpiError | None) -> None:
        if error is None:
            self.bench.forget(key)
        else:
            self.bench.report(key, Outcome(outcome="interrupted", error=error.to_dict()))
        self._changed.set()

    # --- parts ---------------------------------------------------------------------------------------------------

    def _opening(self, role: Role) -> Open:
        settings = self._settings
        return Open(
            role=role,
            executor=settings.executor,
            options=dict(settings.options),
            memory_cap_bytes=settings.memory_cap,
            instrument_allowed=settings.places == 1 and settings.parent_fd is None,
        )

"""The driver's checker with children whose every word the test says."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from qpi_agent import checker as module
from qpi_agent.checker import Checker
from qpi_agent.fair_pool import FairPool
from qpi_agent.messages import Answer, Check, Checked, Open
from qpi_agent.process import Died
from qpi_jupyter.core.errors import QpiError
from qpi_jupyter.core.formats import BUILT_IN
from qpi_jupyter.core.manifest import Estimate, Manifest
from qpi_jupyter.wire.frames import Prepared, ProgramRef
from qpi_jupyter.wire.rest import OptionsIn

MANIFEST = Manifest(executor="fake", executor_version="1", num_qubits=1, formats=tuple(BUILT_IN), basis_gates=())
FINE = Checked(estimate=Estimate(estimate_s=1.0, upper_s=1.0))
CAP = 1 << 30
OUTSIDE = [-signal.SIGKILL, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGINT, 128 + signal.SIGTERM]
OWN = [-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGFPE, -signal.SIGILL, 1, 2, 0]
LIMIT_S = 0.05


class FakeChild:
    """A prepare child; it answers when the test says so."""

    def __init__(self) -> None:
        self.exited: asyncio.Future[Died] = asyncio.get_running_loop().create_future()
        self.asked = asyncio.Event()
        self.label = ""
        self.halted = False
        self.hungry = 0.0
        """The share of the time in which it gets no processor."""
        self._answers: asyncio.Queue[Answer | Died] = asyncio.Queue()

    @property
    def alive(self) -> bool:
        return not self.exited.done()

    def waited_s(self) -> float:
        return self.hungry * asyncio.get_running_loop().time()

    def send(self, command: Check) -> None:
        self.label = command.program.sources[0].decode()
        self.asked.set()

    async def receive(self) -> Answer:
        answer = await self._answers.get()
        self.asked.clear()
        if isinstance(answer, Died):
            raise answer
        return answer

    def say(self, answer: Answer) -> None:
        self._answers.put_nowait(answer)

    def die(self, code: int, peak_bytes: int = 0) -> None:
        if self.alive:
            died = Died(code, peak_bytes)
            self.exited.set_result(died)
            self._answers.put_nowait(died)

    def signal(self, number: signal.Signals) -> None:
        self.die(-number)

    async def stop(self, grace_s: float) -> None:
        self.die(-signal.SIGKILL)


class NoWait:
    def next(self) -> float:
        return 0.0


class Bench:
    """A checker, and its children in the order in which they started."""

    def __init__(self, limit_s: float) -> None:
        self.children: list[FakeChild] = []
        self.born = asyncio.Event()
        self.problem: QpiError | None = None
        self.hold = False
        """Whether no child gets warm now."""
        self.pool: FairPool[Any]
        opening = Open(role="check", executor="fake", memory_cap_bytes=CAP)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "FairPool", self._keep_pool)
            self.checker = Checker(opening, None, timeout_s=limit_s)  # type: ignore[arg-type]

    def _keep_pool(self, heavy_s: float) -> FairPool[Any]:
        self.pool = FairPool(heavy_s)
        return self.pool

    async def spawn(self, _opening: Open, _forks: Any, failed: Callable[..., None], **_: Any) -> tuple[Any, Manifest]:
        while self.problem is not None:
            failed(self.problem, 0.0)
            await asyncio.sleep(0)
        while self.hold:
            await asyncio.sleep(0)
        child = FakeChild()
        self.children.append(child)
        self.born.set()
        return child, MANIFEST

    def ask(self, label: str, person: str = "ann") -> asyncio.Task[Prepared]:
        async def load() -> Check:
            program = ProgramRef(format="openqasm3", sha256="1" * 64, sources=[label.encode()], options=OptionsIn())
            return Check(program=program)

        return asyncio.ensure_future(self.checker.prepare(label, person, load))

    async def asked(self, label: str) -> FakeChild:
        """The child that is asked about this program, once one is."""
        async with asyncio.timeout(10):
            while True:
                for child in self.children:
                    if child.alive and child.asked.is_set() and child.label == label:
                        return child
                await asyncio.sleep(0)

    def busy(self) -> set[str]:
        """The programs that are being checked."""
        return {child.label for child in self.children if child.alive and child.asked.is_set()}


def play(story: Callable[[Bench], Awaitable[None]], *, limit_s: float = 60.0, patience_s: float = 60.0) -> None:
    async def whole() -> None:
        bench = Bench(limit_s)
        patch.setattr(module, "spawn_in_the_end", bench.spawn)
        await bench.checker.start()
        living = asyncio.create_task(bench.checker.live())
        try:
            await story(bench)
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            await bench.checker.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module.log, "disabled", True)
        patch.setattr(module, "Backoff", NoWait)
        patch.setattr(module, "_PATIENCE_S", patience_s)
        patch.setattr(module, "_QUICK_S", LIMIT_S / 5)
        asyncio.run(whole())


async def turn() -> None:
    for _ in range(20):
        await asyncio.sleep(0)

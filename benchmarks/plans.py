"""A plan of a thousand fragments over eight drivers against the same jobs submitted plainly; and what one costs."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct

from qpi_jupyter.core import Program
from qpi_jupyter.core.plans import MAX_FRAGMENTS, Choice, Cost, Fragment, Plan, PlanKind, PlanRequest
from qpi_jupyter.wire.bus import ME, QPU, Bus, Credential, ask, kind_of, tell
from qpi_jupyter.wire.plans import PlanJobIn
from qpi_jupyter.wire.rest import DriverIn, QpuIn
from qpi_server.service import Lab
from qpi_server.service.plans.parts import Parts
from qpi_server.service.plans.planning import Made
from qpi_server.tools.nodes import broker
from tests.faults.lab import ADMIN, ScriptedDriver, bell, driver_of, open_lab

from .harness import Figure

DRIVERS = 8
AT_ONCE = 64
"""Plain submits under way at the same time."""
LIMIT_MS, NATS_LIMIT_MS = 25.0, 60.0
"""What a fragment may cost beside its run, within one process and over a broker."""
_QUIET: dict[str, Any] = {"lease_s": 3600.0}  # the scripted drivers send no heartbeats
PATIENCE_S = 30.0
T = TypeVar("T", bound=Struct)
_numbers = itertools.count(1)


def run(*, quick: bool) -> Iterator[Figure]:
    """Both ways in turn in one lab; then plans of one fragment, one after the other."""
    fragments, rounds, singles = (200, 3, 50) if quick else (MAX_FRAGMENTS, 3, 200)
    with tempfile.TemporaryDirectory(prefix="qpi-plans-") as folder:
        ours, plain, costs = asyncio.run(_measure(Path(folder), fragments, rounds, singles))
        with broker(Path(folder) / "nats") as address:
            over_nats = asyncio.run(_over_nats(Path(folder) / "over", address, singles))
    yield Figure(
        name=f"{fragments:,} fragments, {DRIVERS} drivers, against plain jobs",
        ratio=statistics.median(a / b for a, b in zip(ours, plain, strict=True)), goal=0.8, at_most=False,
        ours=statistics.median(ours), bare=statistics.median(plain), unit=" /s",
    )  # fmt: skip
    yield _p95("orchestration of a fragment, P95, against its limit", costs, LIMIT_MS)
    yield _p95("the same over NATS", over_nats, NATS_LIMIT_MS)


def _p95(name: str, costs: Sequence[float], limit_ms: float) -> Figure:
    p95, median = (1e3 * statistics.quantiles(costs, n=20)[which] for which in (-1, 9))
    return Figure(
        name=name, ratio=p95 / limit_ms, goal=1.0, ours=p95, bare=limit_ms, unit=" ms", note=f"median {median:.3g} ms"
    )


class _Drivers:
    """Eight drivers that deliver whatever they are given, and count it."""

    def __init__(self, lab: Lab) -> None:
        self._lab, self._left, self._done = lab, 0, asyncio.Event()

    async def start(self) -> None:
        for number in range(DRIVERS):
            self._lab.context.tasks.start(self._drive(await _ready(self._lab, number)), f"driver {number}")

    async def rate(self, jobs: int, submit: Callable[[Lab, int], Awaitable[None]]) -> float:
        """Jobs a second from the first submit until the last result is stored."""
        self._left = jobs
        self._done.clear()
        began = time.perf_counter()
        await submit(self._lab, jobs)
        await self._done.wait()
        return jobs / (time.perf_counter() - began)

    async def _drive(self, driver: ScriptedDriver) -> None:
        while True:
            job = await driver.claim()
            if not job.job_id:
                continue
            await driver.started(job)
            await driver.deliver(job)
            self._left -= 1
            if not self._left:
                self._done.set()


async def _measure(
    folder: Path, fragments: int, rounds: int, singles: int
) -> tuple[list[float], list[float], list[float]]:
    sides: tuple[list[float], list[float]] = ([], [])
    async with open_lab(folder / "many", **_QUIET) as lab:
        drivers = _Drivers(lab)
        await drivers.start()
        for _ in range(rounds):
            for side, submit in zip(sides, (_as_plan, _plainly), strict=True):
                side.append(await drivers.rate(fragments, submit))
    async with open_lab(folder / "one", **_QUIET) as lab:
        driver = await _ready(lab, 0)
        await _ready(lab, 1)
        costs = [await _cost(lab, driver) for _ in range(singles)]
    return *sides, costs


class _Link:
    """What a driver asks and tells of its link, over a bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def request(self, subject: str, body: Struct, answer: type[T]) -> T:
        return await ask(self._bus, subject, body, answer, PATIENCE_S)

    async def publish(self, subject: str, body: Struct) -> None:
        await tell(self._bus, subject, body)


async def _over_nats(folder: Path, address: str, singles: int) -> list[float]:
    async with open_lab(folder, buses=(address,), **_QUIET) as lab, AsyncExitStack() as stack:
        driver, _ = [await _dialled(lab, stack, address.partition("?")[0], number) for number in (0, 1)]
        return [await _cost(lab, driver) for _ in range(singles)]


async def _dialled(lab: Lab, stack: AsyncExitStack, address: str, number: int) -> ScriptedDriver:
    async def trust() -> None:
        return None

    await lab.qpus.create(ADMIN, QpuIn(name=f"q{number}"))
    registered = await lab.registration.register(ADMIN, DriverIn(name=f"d{number}", qpu=f"q{number}"), address="")
    credential = Credential(token=registered.token, trust=trust)
    bus = await stack.enter_async_context(kind_of(address).dial(address, credential))
    driver = ScriptedDriver(lab, await lab.authenticator.authenticate(registered.token))
    await bus.serve(QPU, ME, {"prepare": lambda message: driver.prepare(message.data)}, {})
    driver.peer = _Link(bus)  # type: ignore[assignment]  # as much of it as a driver here needs
    await driver.greet()
    return driver


async def _ready(lab: Lab, number: int) -> ScriptedDriver:
    await lab.qpus.create(ADMIN, QpuIn(name=f"q{number}"))
    driver = await driver_of(lab, f"q{number}", f"d{number}")
    await driver.connect()
    return driver


async def _as_plan(lab: Lab, fragments: int) -> None:
    qpus = [f"q{number % DRIVERS}" for number in range(fragments)]
    await lab.plan_runs.submit(ADMIN, await _kept(lab, qpus), PlanJobIn())


async def _plainly(lab: Lab, jobs: int) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with turns:
            await lab.jobs.submit(ADMIN, bell(f"q{number % DRIVERS}", source=f"// {next(_numbers)}"))

    await asyncio.gather(*map(one, range(jobs)))


async def _cost(lab: Lab, driver: ScriptedDriver) -> float:
    """The time of one of a plan's two fragments: from the submit to its driver, and of its result (s)."""
    plan_id = await _kept(lab, ["q0", "q1"])
    claim = asyncio.create_task(driver.claim())
    await asyncio.sleep(0)
    began = time.perf_counter()
    job_id, _ = await lab.plan_runs.submit(ADMIN, plan_id, PlanJobIn())
    job = await claim
    before_s = time.perf_counter() - began
    await driver.started(job)
    began = time.perf_counter()
    await driver.deliver(job)
    took_s = before_s + time.perf_counter() - began
    await lab.jobs.cancel(ADMIN, job_id)  # the other one is not run
    return took_s


def _calibration(lab: Lab, qpu: str) -> str:
    manifest = lab.context.qpus.get(qpu).manifest
    assert manifest is not None
    return manifest.calibration_id


async def _kept(lab: Lab, qpus: list[str]) -> str:
    """A plan whose fragments are on these QPUs."""
    cost = Cost(esp=1.0, duration_s=0.1, wait_s=0.0, load=0.0, latency_s=0.0, total=0.0)
    fragments = tuple(
        Fragment(
            index=index, qubits=(2 * index, 2 * index + 1), num_qubits=2, num_circuits=1, shots=100,
            program_sha256="", choices=(Choice(qpu=qpu, calibration_id=_calibration(lab, qpu), cost=cost),),
        )
        for index, qpu in enumerate(qpus)
    )  # fmt: skip
    number = next(_numbers)
    plan = Plan(
        plan_id=f"plan-{number}", kind=PlanKind.COMPONENTS, num_qubits=2 * len(qpus), request=PlanRequest(shots=100),
        circuit_sha256="", fragments=fragments,
    )  # fmt: skip
    programs = tuple(b"QISKIT %d %d" % (number, index) for index in range(len(qpus)))
    parts = Parts(recipe=b"{}", programs=programs, source=Program(format="openqasm3", sources=(b"",)))
    await lab.plans.keep(ADMIN.name, Made(plan=plan, parts=parts))
    return plan.plan_id

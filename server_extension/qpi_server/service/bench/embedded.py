"""The simulators that the lab's own server runs: their definitions, and starting and stopping them."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import replace
from typing import Protocol

import msgspec

from qpi_jupyter.core import Conflict, NotFound, Principal, Rejected, pack_twin, unpack_twin
from qpi_jupyter.wire.bench import SimulatorIn, SimulatorList, SimulatorModel
from qpi_server.service.base import Context, Tx, require_distinct, tell_qpu
from qpi_server.service.links import Linked, Links, tell_state
from qpi_server.store import DriverRow, EmbeddedDriver, QpuRow, bench

from .executors import ExecutorService
from .registration import Registration, end, tell

TWIN_EXECUTOR = "qiskit_aer"
"""What twins run on."""


class DriverRunner(Protocol):
    """Keeps the drivers' processes alive: the server that owns the lab, while it does."""

    async def check(self, driver: EmbeddedDriver) -> None:
        """Refuse options that its executor does not take, without holding anybody up."""

    def keeps(self, name: str) -> bool:
        """Whether that driver is being kept alive."""

    async def problem(self, name: str) -> str:
        """What that driver, which is not linked, has said of what is wrong; empty where it has said nothing."""

    def add(self, driver: EmbeddedDriver) -> None:
        """Keep it alive from now on."""

    async def remove(self, name: str) -> None:
        """End it, if it is kept; returns when its process has gone."""


class EmbeddedService:
    """The definitions of embedded drivers, and a token for each start."""

    def __init__(
        self, context: Context, links: Links, registration: Registration, executors: ExecutorService
    ) -> None:  # fmt: skip
        self._context, self._links, self._registration = context, links, registration
        self._executors = executors
        self._runner: DriverRunner | None = None
        self._came = asyncio.Event()
        context.commits.on(Linked, self._heard)

    def _heard(self, _: Linked) -> None:
        self._came.set()
        self._came = asyncio.Event()

    async def linked(self, qpu: str) -> None:
        """Wait until a driver of this QPU is linked."""
        while not self._links.online(qpu):
            await self._came.wait()

    def run_by(self, runner: DriverRunner | None) -> None:
        """From now on ``runner`` keeps the processes alive; None: nobody does."""
        self._runner = runner

    async def simulators(self, principal: Principal) -> SimulatorList:
        """Every simulator that this lab's server runs, by name."""
        definitions = await self.definitions()
        drivers = {row.name: row.id for row in await self._context.db.read(bench.all_drivers)}
        return SimulatorList(simulators=[await self._model(one, drivers.get(one.name, "")) for one in definitions])

    async def _model(self, one: EmbeddedDriver, driver: str) -> SimulatorModel:
        runner, linked = self._runner, self._links.get(driver) is not None
        return SimulatorModel(
            name=one.name, qpu=one.qpu, executor=one.executor, options=dict(one.options), places=one.places,
            description=one.description, running=runner is not None and runner.keeps(one.name), linked=linked,
            problem="" if linked or runner is None else await runner.problem(one.name), twin_of=_twin_of(one),
        )  # fmt: skip

    async def start(self, principal: Principal, request: SimulatorIn) -> SimulatorList:
        """Define a simulator and start it.

        Raises
        ------
        Conflict
            the name is taken, or this lab's server starts no drivers.
        Rejected
            the executor does not take its options; the QPU of a twin has no calibration.
        NotFound
            there is no QPU to be the twin of.
        """
        driver = EmbeddedDriver(
            name=request.name, qpu=request.qpu or request.name, executor=request.executor, options=request.options,
            places=request.places, description=request.description,
        )  # fmt: skip
        if request.twin_of is not None:
            driver = self._twin(driver, request.twin_of)
        runner = self._running()
        await self._require_types(principal, driver)
        await runner.check(driver)
        await self.define(driver, by=principal)
        runner.add(driver)
        return await self.simulators(principal)

    def _twin(self, driver: EmbeddedDriver, of: str) -> EmbeddedDriver:
        """The driver as a twin of that QPU as it is calibrated now."""
        manifest = self._context.qpus.get(of).manifest
        if manifest is None or not manifest.calibration_id:
            message = f"{of} has no calibration: its twin would be ideal. Start a simulator without twin_of."
            raise Rejected(message, code="no_calibration", field="twin_of")
        bare = replace(manifest, formats=(), format_facts=(), options=(), option_schemas={}, description="")
        twin = pack_twin(of, msgspec.to_builtins(bare))
        return replace(
            driver, executor=TWIN_EXECUTOR, options={**driver.options, "twin": twin},
            description=driver.description or f"Twin of {of}, calibration {manifest.calibration_id}.",
        )  # fmt: skip

    async def _require_types(self, principal: Principal, driver: EmbeddedDriver) -> None:
        """Refuse a number that is sent as a text: on its command line the executor would read it all the same."""
        texts = {name: value for name, value in driver.options.items() if isinstance(value, str) and _is_json(value)}
        if not texts:
            return
        known = {one.name: one.options for one in (await self._executors.executors(principal)).executors}
        properties = known.get(driver.executor, {}).get("properties", {})
        for name, value in texts.items():
            kind = properties.get(name, {}).get("type", "string")
            if kind != "string":
                message = f"Executor option {name!r} must be of type {kind}, not the text {value!r}."
                raise Rejected(message, code="bad_executor_option", field="options", option=name)

    async def stop(self, principal: Principal, name: str) -> SimulatorList:
        """Stop a simulator and forget its definition; its QPU stays, and what was run on it.

        Raises
        ------
        NotFound
            there is none of that name.
        """

        def unit(tx: Tx) -> None:
            found, driver = bench.embedded(tx.connection, name), bench.driver_named(tx.connection, name)
            if found is None or driver is None:
                raise NotFound(f"There is no simulator called {name!r}.", code="unknown_simulator")
            bench.drop_embedded(tx.connection, name)
            end(tx, principal, "stopped", driver)
            tell_qpu(tx, driver.qpu)

        await self._context.db.write(unit)
        await self.ended(name)
        return await self.simulators(principal)

    async def ended(self, name: str) -> None:
        """The definition has gone: so does the process."""
        if self._runner is not None:
            await self._runner.remove(name)

    async def definitions(self) -> list[EmbeddedDriver]:
        """Every definition, by name."""
        return await self._context.db.read(bench.all_embedded)

    async def define(self, driver: EmbeddedDriver, *, by: Principal | None = None) -> None:
        """Write a definition, with its QPU and its driver if they are new; the same again changes nothing.

        Raises
        ------
        Conflict
            the name is another driver's; or any driver's, where somebody (``by``) asks for a new one.
        """
        driver_id = f"drv-{secrets.token_hex(8)}"

        def unit(tx: Tx) -> None:
            connection = tx.connection
            known = bench.driver_named(connection, driver.name)
            standing = known is not None and known.revoked_at is None
            if by is not None and standing:
                raise _taken(driver, bench.embedded(connection, driver.name))
            here = bench.qpu(connection, driver.qpu)
            if by is not None and here is not None and here.kind == "device":
                message = f"{driver.qpu} is a device: a simulator needs a QPU of its own, or one of kind pool."
                raise Conflict(message, code="simulator_on_device", field="qpu")
            if here is None:
                if by is not None:
                    require_distinct(connection, "QPU", driver.qpu)
                qpu = QpuRow(name=driver.qpu, kind=driver.kind, description=driver.description, created_at=tx.at)
                bench.add_qpu(connection, qpu)
                tell_state(tx, driver.qpu, online=False)
            if known is None or not standing:
                if by is not None:
                    require_distinct(connection, "driver", driver.name)
                row_id = driver_id if known is None else known.id
                known = DriverRow(id=row_id, name=driver.name, qpu=driver.qpu, created_at=tx.at)
                bench.add_driver(connection, known)
            elif known.qpu != driver.qpu:
                raise Conflict(f"{driver.name} drives {known.qpu} already.", code="name_taken")
            bench.put_embedded(connection, driver)
            tell_qpu(tx, driver.qpu)
            if by is not None:
                details = {"executor": driver.executor, "options": dict(driver.options), "places": driver.places}
                tell(tx, by, "started", known, **details)

        await self._context.db.write(unit)

    async def token(self, name: str) -> str:
        """A new token for this driver's next process; its earlier ones end."""
        return await self._registration.token(name)

    def _running(self) -> DriverRunner:
        if self._runner is None:
            raise Conflict(
                "This lab's server starts no simulators: set QPI_EMBEDDED_DRIVERS=true (or QPIServer.embedded_drivers) "
                "and restart it.",
                code="no_embedded_drivers",
            )
        return self._runner


def _twin_of(driver: EmbeddedDriver) -> str | None:
    packed = driver.options.get("twin")
    try:
        return unpack_twin(packed)[0] if isinstance(packed, str) else None
    except Rejected:  # its driver says so, too
        return None


def _taken(wanted: EmbeddedDriver, there: EmbeddedDriver | None) -> Conflict:
    of = None if there is None else _twin_of(there)
    if of is None or of != _twin_of(wanted):
        message = f"There is a driver called {wanted.name} already."
    else:
        message = (
            f"There is a twin of {of} called {wanted.name} already: submit to {wanted.qpu}, or stop that twin first to "
            "start one with the present calibration."
        )
    return Conflict(message, code="name_taken", field="name")


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True

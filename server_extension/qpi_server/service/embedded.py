"""The simulators that the lab's own server runs: their definitions, and starting and stopping them."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Conflict, NotFound
from qpi_jupyter.wire.bench import SimulatorIn, SimulatorList, SimulatorModel
from qpi_jupyter.wire.events import EventName
from qpi_server.store import bench, tokens
from qpi_server.store.bench import DriverRow, QpuRow

from .door import Door
from .parts import record
from .people import PeopleService
from .room import Room
from .sessions import Sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedDriver:
    """A simulator that the lab's server starts: its driver, its QPU, and what the executor is told."""

    name: str
    qpu: str
    executor: str
    options: dict[str, Any] = field(default_factory=dict)  # JSON; the executor knows what it means
    places: int = 1
    kind: Literal["device", "pool"] = "pool"
    description: str = ""


class Keeper(Protocol):
    """Keeps the processes alive: the server that owns the lab, while it does."""

    async def check(self, driver: EmbeddedDriver) -> None:
        """Refuse options that its executor does not take, without holding anybody up."""

    def keeps(self, name: str) -> bool:
        """Whether that driver is being kept alive."""

    def add(self, driver: EmbeddedDriver) -> None:
        """Keep it alive from now on."""

    async def remove(self, name: str) -> None:
        """End it, if it is kept; returns when its process has gone."""


class EmbeddedService:
    """The definitions of embedded drivers, and a token for each start."""

    def __init__(self, room: Room, door: Door, sessions: Sessions, people: PeopleService) -> None:
        self._room, self._door, self._sessions, self._people = room, door, sessions, people
        self.keeper: Keeper | None = None

    async def simulators(self, principal: Principal) -> SimulatorList:
        """Every simulator that this lab's server runs, by name."""
        definitions = await self.definitions()
        drivers = {row.name: row.id for row in await self._room.store.read(bench.all_drivers)}
        return SimulatorList(
            simulators=[
                SimulatorModel(
                    name=one.name, qpu=one.qpu, executor=one.executor, options=one.options, places=one.places,
                    description=one.description, running=self.keeper is not None and self.keeper.keeps(one.name),
                    linked=self._sessions.get(drivers.get(one.name, "")) is not None,
                )
                for one in definitions
            ]
        )  # fmt: skip

    async def start(self, principal: Principal, request: SimulatorIn) -> SimulatorList:
        """Define a simulator and start it.

        Raises
        ------
        Conflict
            the name is taken, or this lab's server starts no drivers.
        Rejected
            the executor does not take its options.
        """
        driver = EmbeddedDriver(
            name=request.name, qpu=request.qpu or request.name, executor=request.executor, options=request.options,
            places=request.places, description=request.description,
        )  # fmt: skip
        keeper = self._awake()
        await keeper.check(driver)
        at = self._room.now()

        def guard(connection: Connection) -> None:
            known = bench.driver_named(connection, driver.name)
            if known is not None and known.revoked_at is None:
                raise Conflict(f"There is a driver called {driver.name} already.", code="name_taken", field="name")
            data = {"qpu": driver.qpu, "executor": driver.executor, "options": driver.options, "places": driver.places}
            record(connection, principal, "simulator.started", f"driver:{driver.name}", at, **data)

        await self.define(driver, guard)
        keeper.add(driver)
        await self._room.announce(EventName.QPU_CHANGED, driver.qpu, {"status": "offline"})
        return await self.simulators(principal)

    async def stop(self, principal: Principal, name: str) -> SimulatorList:
        """Stop a simulator and forget its definition; its QPU stays, and what was run on it.

        Raises
        ------
        NotFound
            there is none of that name.
        """
        at = self._room.now()

        def unit(connection: Connection) -> str:
            found, driver = bench.embedded(connection, name), bench.driver_named(connection, name)
            if found is None or driver is None:
                raise NotFound(f"There is no simulator called {name!r}.", code="unknown_simulator")
            bench.drop_embedded(connection, name)
            bench.revoke_driver(connection, driver.id, at)
            tokens.revoke_all(connection, driver.id, at)
            record(connection, principal, "simulator.stopped", f"driver:{name}", at, qpu=found.qpu)
            return driver.id

        self._door.forget(await self._room.store.write(unit))
        await self.ended(name)
        await self._room.load_qpus()
        return await self.simulators(principal)

    async def ended(self, name: str) -> None:
        """The definition has gone: so does the process."""
        if self.keeper is not None:
            await self.keeper.remove(name)

    async def definitions(self) -> list[EmbeddedDriver]:
        """Every definition, by name."""

        def query(connection: Connection) -> tuple[list[bench.EmbeddedDriver], dict[str, QpuRow]]:
            return bench.all_embedded(connection), {row.name: row for row in bench.all_qpus(connection)}

        rows, qpus = await self._room.store.read(query)
        return [
            EmbeddedDriver(
                name=row.name,
                qpu=row.qpu,
                executor=row.executor,
                options=dict(row.options),
                places=row.places,
                kind="device" if qpus[row.qpu].kind == "device" else "pool",
                description=qpus[row.qpu].description,
            )
            for row in rows
        ]

    async def define(self, driver: EmbeddedDriver, guard: Callable[[Connection], None] | None = None) -> None:
        """Write a definition, with its QPU and its driver if they are new; the same again changes nothing.

        ``guard`` may raise, or write more, in the transaction.
        """
        at, driver_id = self._room.now(), f"drv-{secrets.token_hex(8)}"

        def unit(connection: Connection) -> None:
            if guard is not None:
                guard(connection)
            if bench.qpu(connection, driver.qpu) is None:
                row = QpuRow(name=driver.qpu, kind=driver.kind, description=driver.description, created_at=at)
                bench.add_qpu(connection, row)
            known = bench.driver_named(connection, driver.name)
            if known is None or known.revoked_at is not None:
                row_id = driver_id if known is None else known.id
                new = DriverRow(id=row_id, name=driver.name, qpu=driver.qpu, created_at=at)
                bench.add_driver(connection, new)
            elif known.qpu != driver.qpu:
                raise Conflict(f"{driver.name} drives {known.qpu} already.", code="name_taken")
            bench.put_embedded(
                connection,
                bench.EmbeddedDriver(
                    name=driver.name,
                    qpu=driver.qpu,
                    executor=driver.executor,
                    options=driver.options,
                    places=driver.places,
                ),
            )

        await self._room.store.write(unit)
        await self._room.load_qpus()

    async def token(self, name: str) -> str:
        """A new token for this driver's next process; its earlier ones end."""
        return await self._people.driver_token(name)

    def _awake(self) -> Keeper:
        if self.keeper is None:
            raise Conflict(
                "This lab's server starts no simulators: set QPI_EMBEDDED_DRIVERS=true (or QPIServer.embedded_drivers) "
                "and restart it.",
                code="no_embedded_drivers",
            )
        return self.keeper

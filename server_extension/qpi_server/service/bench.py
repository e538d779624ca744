"""What managers do to the bench: see its drivers, renew and revoke them, delete QPUs."""

from __future__ import annotations

from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal
from qpi_jupyter.core.errors import Conflict, NotFound
from qpi_jupyter.wire.bench import DriverDetail, DriverList
from qpi_jupyter.wire.events import EventName
from qpi_jupyter.wire.rest import DriverRegistered, QpuList
from qpi_server.store import bench, bookings, facts, qpu_sessions, tokens
from qpi_server.store.bench import DriverRow
from qpi_server.store.facts import EventRow

from .door import Door
from .embedded import EmbeddedService
from .parts import record
from .people import PeopleService
from .qpus import QpuService
from .registration import registered
from .room import Room
from .sessions import Sessions


class BenchService:
    """Drivers as managers see them, and the end of QPUs."""

    def __init__(
        self, room: Room, door: Door, sessions: Sessions, people: PeopleService, embedded: EmbeddedService,
        qpus: QpuService,
    ) -> None:  # fmt: skip
        self._room, self._door, self._sessions = room, door, sessions
        self._people, self._embedded, self._qpus = people, embedded, qpus

    async def drivers(self, principal: Principal) -> DriverList:
        """Every driver that is not revoked, by name."""

        def query(connection: Connection) -> tuple[list[DriverRow], set[str]]:
            return bench.all_drivers(connection), {row.name for row in bench.all_embedded(connection)}

        rows, embedded = await self._room.store.read(query)
        return DriverList(
            drivers=[
                DriverDetail(
                    id=row.id, name=row.name, qpu=row.qpu, monitor=row.monitor, host=row.host, version=row.version,
                    places=row.places, enabled=row.enabled,
                    linked=self._sessions.get(row.id) is not None, embedded=row.name in embedded,
                    hello_at=row.hello_at, created_at=row.created_at,
                )
                for row in rows
            ]
        )  # fmt: skip

    async def renew(
        self, principal: Principal, name: str, *, address: str, ca_fingerprint: str | None
    ) -> DriverRegistered:
        """A new token for a driver, shown only now; the old one ends, and with it the driver's link.

        Raises
        ------
        NotFound
            no such driver.
        Conflict
            the server starts it, and renews its token itself.
        """
        driver = await self._room.store.read(lambda connection: _stand_alone(connection, name))
        token = await self._people.driver_token(name, by=principal)
        self._hang_up(driver.id, "Its token was renewed.")
        return registered(driver, token, address=address, ca_fingerprint=ca_fingerprint)

    async def revoke(self, principal: Principal, name: str) -> DriverList:
        """Let a driver in no more; the answer has those that are left.

        Raises
        ------
        NotFound
            no such driver.
        Conflict
            the server starts it: its simulator is stopped instead.
        """
        at = self._room.now()

        def unit(connection: Connection) -> str:
            driver = _stand_alone(connection, name)
            bench.revoke_driver(connection, driver.id, at)
            tokens.revoke_all(connection, driver.id, at)
            record(connection, principal, "driver.revoked", f"driver:{name}", at, qpu=driver.qpu)
            return driver.id

        driver_id = await self._room.store.write(unit)
        self._door.forget(driver_id)
        self._hang_up(driver_id, "It was revoked.")
        return await self.drivers(principal)

    async def delete_qpu(self, principal: Principal, name: str) -> QpuList:
        """Take a QPU out of the lab with its drivers; its history stays. The answer has those that are left.

        Raises
        ------
        NotFound
            there is none of that name.
        Conflict
            jobs wait or run there, somebody has a session, or bookings are to come.
        """
        at = self._room.now()

        def unit(connection: Connection) -> list[DriverRow]:
            row = bench.qpu(connection, name)
            if row is None:
                raise NotFound(f"There is no QPU called {name!r}.", code="unknown_qpu")
            self._check_unused(connection, name, row.queued, row.running)
            drivers = bench.all_drivers(connection, qpu=name)
            for driver in drivers:
                bench.drop_embedded(connection, driver.name)
                bench.revoke_driver(connection, driver.id, at)
                tokens.revoke_all(connection, driver.id, at)
            bench.delete_qpu(connection, name, at)
            data = {"status": "deleted", "by": principal.name}
            facts.add_event(connection, EventRow(kind=EventName.QPU_CHANGED, at=at, qpu=name, data=data))
            names = [driver.name for driver in drivers]
            record(connection, principal, "qpu.deleted", f"qpu:{name}", at, drivers=names)
            return drivers

        drivers = await self._room.store.write(unit)
        await self._room.load_qpus()
        self._room.outbox.public()
        self._door.forget(*(driver.id for driver in drivers))
        for driver in drivers:
            await self._embedded.ended(driver.name)
            self._hang_up(driver.id, "Its QPU was deleted.")
        return await self._qpus.list(principal)

    def _check_unused(self, connection: Connection, name: str, queued: int, running: int) -> None:
        if queued or running:
            raise Conflict(
                f"{name} has {queued} jobs waiting and {running} running: cancel them, or hold the QPU until they are "
                "done.",
                code="qpu_busy", queued=queued, running=running,
            )  # fmt: skip
        if qpu_sessions.open_on(connection, name) is not None:
            raise Conflict(f"Somebody has a session on {name}: wait until it ends, or close it.", code="qpu_busy")
        if ahead := bookings.to_come(connection, name, self._room.now()):
            raise Conflict(
                f"{name} has {ahead} bookings to come: delete them first.", code="qpu_booked", bookings=ahead
            )

    def _hang_up(self, driver_id: str, reason: str) -> None:
        if (session := self._sessions.get(driver_id)) is not None:
            session.close(reason)
            session.closed()  # it counts no more, however long the other end takes to hang up


def _stand_alone(connection: Connection, name: str) -> DriverRow:
    """The driver of that name, which is not the server's own."""
    driver = bench.driver_named(connection, name)
    if driver is None or driver.revoked_at is not None:
        raise NotFound(f"There is no driver called {name!r}.", code="unknown_driver")
    if bench.embedded(connection, name) is not None:
        raise Conflict(
            f"{name} is a simulator that this lab's server runs: start and stop it as such.", code="embedded_driver"
        )
    return driver

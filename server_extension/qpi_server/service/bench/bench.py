"""What managers do to the bench: see its drivers, renew and revoke them, delete QPUs."""

from __future__ import annotations

from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, Principal, counted
from qpi_jupyter.wire.bench import DriverDetail, DriverList
from qpi_jupyter.wire.events import QpuChanged, QpuData
from qpi_jupyter.wire.rest import DriverRegistered, QpuList
from qpi_server.service.base import Context, Tx, tell_qpu, the_qpu
from qpi_server.service.links import Links, SentAway
from qpi_server.store import DriverRow, bench, bookings, qpu_sessions
from qpi_server.store.load import load

from .embedded import EmbeddedService
from .launch import registered
from .qpus import QpuService
from .registration import Registration, end, the_driver


class BenchService:
    """Drivers as managers see them, and the end of QPUs."""

    def __init__(
        self, context: Context, links: Links, registration: Registration, embedded: EmbeddedService, qpus: QpuService
    ) -> None:  # fmt: skip
        self._context, self._links = context, links
        self._registration, self._embedded, self._qpus = registration, embedded, qpus

    async def drivers(self, principal: Principal) -> DriverList:
        """Every driver that is not revoked, by name."""

        def query(connection: Connection) -> tuple[list[DriverRow], set[str]]:
            return bench.all_drivers(connection), {row.name for row in bench.all_embedded(connection)}

        rows, embedded = await self._context.db.read(query)
        return DriverList(
            drivers=[
                DriverDetail(
                    id=row.id, name=row.name, qpu=row.qpu, monitor=row.monitor, host=row.host, version=row.version,
                    places=row.places, enabled=row.enabled,
                    linked=self._links.get(row.id) is not None, draining=self._links.draining(row.id),
                    embedded=row.name in embedded,
                    hello_at=row.hello_at, created_at=row.created_at, problem=self._links.refusal(row.id),
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
        driver = await self._context.db.read(lambda connection: _stand_alone(connection, name))
        token = await self._registration.token(name, by=principal)
        manifest = self._context.qpus.get(driver.qpu).manifest
        executor = manifest.executor if manifest is not None else ""
        return registered(driver, token, address=address, ca_fingerprint=ca_fingerprint, executor=executor)

    async def revoke(self, principal: Principal, name: str) -> DriverList:
        """Let a driver in no more; the answer has those that are left.

        Raises
        ------
        NotFound
            no such driver.
        Conflict
            the server starts it: its simulator is stopped instead.
        """

        def unit(tx: Tx) -> None:
            driver = _stand_alone(tx.connection, name)
            end(tx, principal, "revoked", driver)
            tx.tell(SentAway(driver.id, "It was revoked."))

        await self._context.db.write(unit)
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

        def unit(tx: Tx) -> list[DriverRow]:
            the_qpu(tx.connection, name)
            self._check_unused(tx, name, *load(tx.connection, name))
            drivers = bench.all_drivers(tx.connection, qpu=name)
            for driver in drivers:
                bench.drop_embedded(tx.connection, driver.name)
                end(tx, principal, "revoked", driver)
                tx.tell(SentAway(driver.id, "Its QPU was deleted."))
            bench.delete_qpu(tx.connection, name, tx.at)
            tell_qpu(tx, name)
            tx.event(QpuChanged(at=tx.at, qpu=name, data=QpuData(status="deleted", by=principal.name)))
            tx.audit(principal, "qpu.deleted", f"qpu:{name}", drivers=[driver.name for driver in drivers])
            return drivers

        drivers = await self._context.db.write(unit)
        for driver in drivers:
            await self._embedded.ended(driver.name)
        return await self._qpus.list(principal)

    def _check_unused(self, tx: Tx, name: str, queued: int, running: int) -> None:
        if queued or running:
            raise Conflict(
                f"{name} has {counted(queued, 'job')} waiting and {running} running: cancel them, or hold the QPU "
                "until they are done.",
                code="qpu_busy", queued=queued, running=running,
            )  # fmt: skip
        if qpu_sessions.open_on(tx.connection, name) is not None:
            raise Conflict(f"Somebody has a session on {name}: wait until it ends, or close it.", code="qpu_busy")
        if ahead := bookings.to_come(tx.connection, name, tx.at):
            raise Conflict(
                f"{name} has {counted(ahead, 'booking')} to come: delete {'it' if ahead == 1 else 'them'} first.",
                code="qpu_booked",
                bookings=ahead,
            )


def _stand_alone(connection: Connection, name: str) -> DriverRow:
    """The driver of that name, which is not the server's own."""
    driver = the_driver(connection, name)
    if bench.embedded(connection, name) is not None:
        raise Conflict(
            f"{name} is a simulator that this lab's server runs: start and stop it as such.", code="embedded_driver"
        )
    return driver

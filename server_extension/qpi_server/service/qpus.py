"""The QPUs of the lab."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound
from qpi_jupyter.wire.events import EventName
from qpi_jupyter.wire.rest import QpuChange, QpuDetail, QpuIn, QpuList, QpuModel, QpuSession
from qpi_jupyter.wire.telemetry import QpuDriver, QpuDriverList
from qpi_server.store import audit, bench, facts, qpu_sessions
from qpi_server.store.audit import AuditRow
from qpi_server.store.bench import DriverRow, QpuRow
from qpi_server.store.facts import EventRow
from qpi_server.store.qpu_sessions import SessionRow

from .qpu_sessions import sees_holder
from .room import Room
from .sessions import Sessions


class QpuService:
    """What people see of the QPUs."""

    def __init__(self, room: Room, sessions: Sessions) -> None:
        self._room, self._sessions = room, sessions

    async def list(self, principal: Principal) -> QpuList:
        """Every QPU, by name."""
        rows, held = await self._room.store.read(lambda c: (bench.all_qpus(c), qpu_sessions.open_now(c)))
        return QpuList(
            qpus=[
                QpuModel(**self._fields(row), session=self._session(principal, held.get(row.name)))
                for row in rows
                if row.name in self._room.qpus
            ]
        )

    async def get(self, principal: Principal, name: str) -> QpuDetail:
        """One QPU with its manifest.

        Raises
        ------
        NotFound
            there is none of that name; the message lists the ones there.
        """
        qpu = self._room.qpu(name)
        row, held = await self._room.store.read(lambda c: (bench.qpu(c, name), qpu_sessions.open_now(c)))
        if row is None:
            raise NotFound(f"There is no QPU called {name!r}.", code="unknown_qpu")
        session = self._session(principal, held.get(name))
        return QpuDetail(**self._fields(row), session=session, manifest=qpu.manifest)

    async def drivers(self, principal: Principal, name: str) -> QpuDriverList:
        """The drivers of a QPU, linked or not, by name.

        Raises
        ------
        NotFound
            there is no such QPU.
        """
        self._room.qpu(name)
        rows = await self._room.store.read(lambda connection: bench.all_drivers(connection, qpu=name))
        operator = allows(principal, Permission.QPUS_OPERATE)
        return QpuDriverList(drivers=[self._driver(row, operator) for row in rows])

    async def create(self, principal: Principal, request: QpuIn) -> QpuDetail:
        """Register a QPU; one that was deleted comes back with its history.

        Raises
        ------
        Conflict
            the name is taken.
        """
        row = QpuRow(name=request.name, kind=request.kind, description=request.description, created_at=self._room.now())

        def unit(connection: Connection) -> None:
            if bench.qpu(connection, row.name) is not None:
                raise Conflict(f"There is a QPU called {row.name} already.", code="name_taken")
            bench.add_qpu(connection, row)

        await self._room.store.write(unit)
        await self._room.load_qpus()
        await self._room.announce(EventName.QPU_CHANGED, row.name, {"status": "offline"})
        return await self.get(principal, row.name)

    async def change(self, principal: Principal, name: str, change: QpuChange) -> QpuDetail:
        """Switch what may run there; it takes effect within one job.

        Raises
        ------
        NotFound
            there is none of that name.
        Forbidden
            only managers may.
        """
        if not allows(principal, Permission.QPUS_OPERATE):
            raise Forbidden("Only managers may change a QPU.", code="forbidden")
        self._room.qpu(name)
        wanted = {key: value for key, value in msgspec.structs.asdict(change).items() if value is not msgspec.UNSET}
        at = self._room.now()

        def unit(connection: Connection) -> QpuRow:
            before = bench.qpu(connection, name)
            if before is None:  # deleted a moment ago
                raise NotFound(f"There is no QPU called {name!r}.", code="unknown_qpu")
            after = replace(before, **wanted)
            if after != before:
                bench.change_qpu(connection, name, wanted)
                data = {"status": self.status(after), "hold": after.hold, "by": principal.name}
                facts.add_event(connection, EventRow(kind=EventName.QPU_CHANGED, at=at, qpu=name, data=data))
                row = AuditRow(at=at, who=principal.name, action="qpu.change", subject=f"qpu:{name}", data=wanted)
                audit.add(connection, row)
            return after

        row = await self._room.store.write(unit)
        self._room.describe(name, row.description)
        self._room.outbox.public()
        self._room.outbox.wake(name)
        return await self.get(principal, name)

    def status(self, row: QpuRow) -> Literal["online", "offline", "maintenance", "disabled"]:
        """The public word for how the QPU is."""
        if not row.enabled:
            return "disabled"
        if row.maintenance:
            return "maintenance"
        return "online" if self._sessions.online(row.name) else "offline"

    def _session(self, principal: Principal, held: tuple[SessionRow, datetime] | None) -> QpuSession | None:
        if held is None:
            return None
        row, until = held
        shown = sees_holder(principal, row, public=self._room.config.public_bookings)
        return QpuSession(
            holder=row.holder if shown else None,
            mine=row.holder == principal.name,
            opened_at=row.opened_at,
            until=until,
        )

    def _driver(self, row: DriverRow, operator: bool) -> QpuDriver:
        seen = self._sessions.seen_at(row.id)
        return QpuDriver(
            name=row.name,
            enabled=row.enabled,
            linked=self._sessions.get(row.id) is not None,
            monitor=row.monitor,
            places=row.places,
            version=row.version,
            hello_at=row.hello_at,
            seen_at=row.hello_at if seen is None else seen,
            host=row.host if operator else None,
        )

    def _fields(self, row: QpuRow) -> dict[str, Any]:
        """The fields of `QpuModel`; ``Any``: they have different types."""
        qpu = self._room.qpu(row.name)
        manifest = qpu.manifest
        return {
            "name": row.name,
            "kind": row.kind,
            "status": self.status(row),
            "simulator": qpu.simulator,
            "executor": manifest.executor if manifest is not None else "",
            "num_qubits": manifest.num_qubits if manifest is not None else 0,
            "places": self._sessions.places(row.name),
            "queued": row.queued,
            "running": row.running,
            "hold": row.hold,
            "description": row.description or (manifest.description if manifest is not None else ""),
        }

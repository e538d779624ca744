"""The QPUs of the lab."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from qpi_jupyter.core import Conflict, Forbidden, Permission, Principal, QpuState, allows
from qpi_jupyter.wire.rest import QpuChange, QpuDetail, QpuIn, QpuList, QpuModel, QpuSession
from qpi_jupyter.wire.telemetry import QpuDriver, QpuDriverList
from qpi_server.service.base import Context, Tx, require_distinct, tell_qpu, the_qpu
from qpi_server.service.links import Links, state_of, states, tell_state
from qpi_server.service.sessions import sees_holder
from qpi_server.store import DriverRow, QpuRow, SessionRow, bench, qpu_sessions
from qpi_server.store.load import Load, load, loads


class QpuService:
    """What people see of the QPUs."""

    def __init__(self, context: Context, links: Links) -> None:
        self._context, self._links = context, links

    async def list(self, principal: Principal) -> QpuList:
        """Every QPU, by name."""
        now = self._context.now()

        def query(connection: Connection) -> list[QpuModel]:
            rows, held, many = bench.qpu_cards(connection), qpu_sessions.open_now(connection), loads(connection)
            how = states(connection, self._links, now, rows)
            return [
                QpuModel(
                    **self._fields(row, how[row.name], many[row.name]),
                    session=self._session(principal, held.get(row.name)),
                )
                for row in rows
                if row.name in self._context.qpus
            ]

        return QpuList(qpus=await self._context.db.read(query))

    async def taking(self, principal: Principal, form: str) -> Sequence[QpuDetail]:
        """Every QPU that takes programs of that format, by name, with its manifest."""
        manifests = {qpu.name: qpu.manifest for qpu in self._context.qpus}
        return [
            QpuDetail(**msgspec.structs.asdict(qpu), manifest=manifest)
            for qpu in (await self.list(principal)).qpus
            if (manifest := manifests.get(qpu.name)) is not None and form in manifest.formats
        ]

    async def get(self, principal: Principal, name: str) -> QpuDetail:
        """One QPU with its manifest.

        Raises
        ------
        NotFound
            there is none of that name; the message lists the ones there.
        """
        qpu = self._context.qpus.get(name)
        online, now = self._links.online(name), self._context.now()

        def query(connection: Connection) -> QpuDetail:
            row = the_qpu(connection, name)
            fields = self._fields(row, state_of(connection, row, now, online=online), load(connection, name))
            session = self._session(principal, qpu_sessions.open_now(connection).get(name))
            return QpuDetail(**fields, session=session, manifest=qpu.manifest)

        return await self._context.db.read(query)

    async def drivers(self, principal: Principal, name: str) -> QpuDriverList:
        """The drivers of a QPU, linked or not, by name.

        Raises
        ------
        NotFound
            there is no such QPU.
        """
        self._context.qpus.get(name)
        rows = await self._context.db.read(lambda connection: bench.all_drivers(connection, qpu=name))
        operator = allows(principal, Permission.QPUS_OPERATE)
        return QpuDriverList(drivers=[self._driver(row, operator) for row in rows])

    async def create(self, principal: Principal, request: QpuIn) -> QpuDetail:
        """Register a QPU; one that was deleted comes back with its history.

        Raises
        ------
        Conflict
            the name is taken.
        """
        row = QpuRow(
            name=request.name, kind=request.kind, description=request.description, created_at=self._context.now(),
            num_qubits=request.num_qubits,
        )  # fmt: skip

        def unit(tx: Tx) -> None:
            if bench.qpu(tx.connection, row.name) is not None:
                raise Conflict(f"There is a QPU called {row.name} already.", code="name_taken")
            require_distinct(tx.connection, "QPU", row.name)
            bench.add_qpu(tx.connection, row)
            tell_qpu(tx, row.name)
            tell_state(tx, row.name, online=False)
            tx.audit(principal, "qpu.created", f"qpu:{row.name}", **msgspec.to_builtins(request))

        await self._context.db.write(unit, at=row.created_at)
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
        self._context.qpus.get(name)
        wanted = {key: value for key, value in msgspec.structs.asdict(change).items() if value is not msgspec.UNSET}

        def unit(tx: Tx) -> None:
            before = the_qpu(tx.connection, name)
            after = replace(before, **wanted)
            if after != before:
                bench.change_qpu(tx.connection, name, **wanted)
                tell_state(tx, name, online=self._links.online(name), by=principal.name)
                tx.audit(principal, "qpu.change", f"qpu:{name}", **wanted)
                tell_qpu(tx, name)
                tx.wake(name)

        await self._context.db.write(unit)
        return await self.get(principal, name)

    def _session(self, principal: Principal, held: tuple[SessionRow, datetime] | None) -> QpuSession | None:
        if held is None:
            return None
        row, until = held
        shown = sees_holder(principal, row, public=self._context.config.public_bookings)
        return QpuSession(
            holder=row.holder if shown else None,
            mine=row.holder == principal.name,
            opened_at=row.opened_at,
            until=until,
        )

    def _driver(self, row: DriverRow, operator: bool) -> QpuDriver:
        seen = self._links.seen_at(row.id)
        return QpuDriver(
            name=row.name,
            enabled=row.enabled,
            linked=self._links.get(row.id) is not None,
            draining=self._links.draining(row.id),
            monitor=row.monitor,
            places=row.places,
            version=row.version,
            hello_at=row.hello_at,
            seen_at=row.hello_at if seen is None else seen,
            host=row.host if operator else None,
        )

    def _fields(self, row: QpuRow, state: QpuState, load: Load) -> dict[str, Any]:
        """The fields of `QpuModel`; ``Any``: they have different types."""
        qpu = self._context.qpus.get(row.name)
        manifest = qpu.manifest
        return {
            "name": row.name,
            "kind": row.kind,
            "status": state.status.value,
            "reason": state.reason,
            "until_at": state.until,
            "simulator": qpu.simulator,
            "executor": manifest.executor if manifest is not None else "",
            "num_qubits": manifest.num_qubits if manifest is not None else row.num_qubits or 0,
            "places": self._links.places(row.name),
            "queued": load.waiting,
            "running": load.running,
            "hold": row.hold,
            "description": row.description or (manifest.description if manifest is not None else ""),
        }

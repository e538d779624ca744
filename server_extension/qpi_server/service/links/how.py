"""How the QPUs are now, as every face of the lab shows it, and the event that tells of a change."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from qpi_jupyter.core import QpuState, qpu_state
from qpi_jupyter.wire.events import QpuChanged, QpuData
from qpi_server.service.base import Tx, the_qpu
from qpi_server.store import QpuRow, bookings

from .links import Links


def states(connection: Connection, links: Links, now: datetime, rows: Iterable[QpuRow]) -> dict[str, QpuState]:
    """Of each of these QPUs, by its name."""
    maintained = bookings.maintenance(connection, now)
    return {
        row.name: qpu_state(
            enabled=row.enabled, maintenance=row.maintenance, hold=row.hold, online=links.online(row.name),
            booking=maintained.get(row.name),
        )
        for row in rows
    }  # fmt: skip


def state_of(connection: Connection, row: QpuRow, now: datetime, *, online: bool) -> QpuState:
    """Of one QPU."""
    booking = bookings.maintenance(connection, now, qpu=row.name).get(row.name)
    return qpu_state(
        enabled=row.enabled, maintenance=row.maintenance, hold=row.hold, online=online, booking=booking
    )  # fmt: skip


def tell_state(tx: Tx, qpu: str, *, online: bool, by: str | UnsetType = UNSET) -> None:
    """Write the event that says how a QPU is from this unit on."""
    row = the_qpu(tx.connection, qpu)
    state = state_of(tx.connection, row, tx.at, online=online)
    data = QpuData(status=state.status.value, reason=state.reason, until_at=state.until, hold=row.hold, by=by)
    tx.event(QpuChanged(at=tx.at, qpu=qpu, data=data))

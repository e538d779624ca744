"""How the QPUs are now, as every face of the lab shows it, and the event that tells of a change."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from qpi_jupyter.core import Booking, QpuState, qpu_state
from qpi_jupyter.core.trust import TrustTier
from qpi_jupyter.wire.events import QpuChanged, QpuData
from qpi_server.service.base import Tx, the_qpu
from qpi_server.store import QpuRow, bench, bookings

from .links import Links


def states(connection: Connection, links: Links, now: datetime) -> dict[str, QpuState]:
    """Of every QPU, by its name."""
    maintained = bookings.maintenance(connection, now)
    return {
        row.name: _state(row, links.online(row.name), maintained.get(row.name)) for row in bench.all_qpus(connection)
    }


def state_of(connection: Connection, row: QpuRow, now: datetime, *, online: bool) -> QpuState:
    """Of one QPU."""
    booking = bookings.maintenance(connection, now, qpu=row.name).get(row.name)
    return _state(row, online, booking)


def _state(row: QpuRow, online: bool, booking: Booking | None) -> QpuState:
    enabled, maintenance, hold = row.switches
    return qpu_state(enabled=enabled, maintenance=maintenance, hold=hold, online=online, booking=booking)


def tell_state(
    tx: Tx, qpu: str, *, online: bool, by: str | UnsetType = UNSET, trust: TrustTier | UnsetType = UNSET
) -> None:
    """Write the event that says how a QPU is from this unit on."""
    row = the_qpu(tx.connection, qpu)
    state = state_of(tx.connection, row, tx.at, online=online)
    data = QpuData(
        status=state.status.value, reason=state.reason, until_at=state.until, hold=row.hold, by=by, trust=trust
    )
    tx.event(QpuChanged(at=tx.at, qpu=qpu, data=data))

"""Rows of QPUs, drivers and embedded drivers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from qpi_jupyter.core.trust import TrustTier, withheld

from .prepared import Prepared
from .rows import each, equal, first, whole
from .schema import drivers, embedded_drivers, qpus


@dataclass(frozen=True, slots=True, kw_only=True)
class QpuRow:
    """A QPU as the database has it. ``manifest`` is JSON, None until the first driver said hello."""

    name: str
    kind: str
    description: str = ""
    enabled: bool = True
    maintenance: bool = False
    hold: str | None = None
    manifest: dict[str, Any] | None = None
    queued: int = 0
    queued_s: float = 0.0
    running: int = 0
    created_at: datetime
    correction: float = 1.0
    """Measured busy time over the executor's estimate."""
    correction_n: int = 0
    eta_error_s: float | None = None
    """Mean absolute error of predicted starts."""
    eta_n: int = 0
    deleted_at: datetime | None = None
    num_qubits: int | None = None
    """As it was registered; the manifest knows better."""
    trust: TrustTier = TrustTier.PLATFORM_MANAGED
    contributed_by: str | None = None
    trust_reason: str = ""
    trust_by: str | None = None
    """Who decided; None: nobody has yet."""
    trust_at: datetime | None = None
    """When it was asked for, and then when it was decided."""

    @property
    def pending(self) -> bool:
        """Whether it waits for a manager's approval."""
        return self.trust is TrustTier.PUBLIC_UNTRUSTED and self.trust_by is None

    @property
    def withheld(self) -> str:
        """Why it gets no jobs, as far as that is for want of trust."""
        return withheld(self.trust, decided=self.trust_by is not None, reason=self.trust_reason)

    @property
    def switches(self) -> tuple[bool, bool, str | None]:
        """Whether it is enabled and trusted, whether it is in maintenance, and why it is held back, if it is."""
        why = self.withheld
        return self.enabled and not why, self.maintenance, why or self.hold


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverRow:
    id: str
    name: str
    qpu: str
    monitor: bool = False
    epoch: int = 0
    instance: str = ""
    host: str = ""
    version: str = ""
    places: int = 0
    hello_at: datetime | None = None
    created_at: datetime
    enabled: bool = True
    revoked_at: datetime | None = None
    launch: Mapping[str, Any] = field(default_factory=dict)
    """What its start command says besides its name (JSON); empty where nobody said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedDriver:
    """A simulator that the lab's own server starts: its driver, its QPU, and what the executor is told."""

    name: str
    qpu: str
    executor: str
    options: Mapping[str, Any] = field(default_factory=dict)  # JSON; the executor knows what it means
    places: int = 1
    kind: str = "pool"
    description: str = ""


def _qpu(row: Row[Any]) -> QpuRow:
    fields = {**row._asdict(), "trust": TrustTier(row.trust)}
    if not isinstance(fields.get("manifest"), dict):
        fields["manifest"] = None  # its driver says it again
    return QpuRow(**fields)


_ALL = select(qpus).where(qpus.c.deleted_at.is_(None)).order_by(qpus.c.name)
_CARDS = Prepared(_ALL.with_only_columns(*(column for column in qpus.c if column is not qpus.c.manifest)))


def all_qpus(connection: Connection) -> list[QpuRow]:
    """Every QPU, by name."""
    return list(each(connection.execute(_ALL), _qpu))


def qpu_cards(connection: Connection) -> list[QpuRow]:
    """Every QPU, by name, without its manifest, which is long and which the lab has in memory."""
    return list(each(_CARDS.each(connection), _qpu))


def qpu(connection: Connection, name: str) -> QpuRow | None:
    """The QPU of that name, if there is one."""
    return first(connection, select(qpus).where(qpus.c.name == name, qpus.c.deleted_at.is_(None)), _qpu)


class Standing(NamedTuple):
    """What everything that decides about a job asks of its QPU's row."""

    switches: tuple[bool, bool, str | None]
    """As `QpuRow.switches`."""
    queued: int
    queued_s: float
    correction: float
    eta_error_s: float | None
    deleted: bool


_STANDING = Prepared(
    select(
        qpus.c.enabled, qpus.c.maintenance, qpus.c.hold, qpus.c.trust, qpus.c.trust_by, qpus.c.trust_reason,
        qpus.c.queued, qpus.c.queued_s, qpus.c.correction, qpus.c.eta_error_s, qpus.c.deleted_at.is_not(None),
    ).where(qpus.c.name == bindparam("qpu"))
)  # fmt: skip


def standing(connection: Connection, name: str) -> Standing:
    """How a QPU that is or was in the lab stands: read at once."""
    enabled, maintenance, hold, trust, by, reason, *figures = _STANDING.first(connection, qpu=name)
    why = withheld(TrustTier(trust), decided=by is not None, reason=reason)
    return Standing((enabled and not why, maintenance, why or hold), *figures)


_CORRECTION = Prepared(select(qpus.c.correction).where(qpus.c.name == bindparam("qpu"), qpus.c.deleted_at.is_(None)))


def correction(connection: Connection, name: str) -> float | None:
    """The correction of the QPU's estimates; None where there is no such QPU."""
    found: float | None = _CORRECTION.scalar(connection, qpu=name)
    return found


def was_qpu(connection: Connection, name: str) -> bool:
    """Whether there is a QPU of that name, or was."""
    return connection.execute(select(qpus.c.name).where(qpus.c.name == name)).first() is not None


def contributed(connection: Connection, person: str) -> int:
    """How many QPUs somebody has added."""
    query = select(func.count()).where(qpus.c.contributed_by == person, qpus.c.deleted_at.is_(None))
    return int(connection.execute(query).scalar_one())


def add_qpu(connection: Connection, row: QpuRow) -> None:
    """Write a new QPU, or bring back the deleted one of that name, with its history."""
    kept = ("kind", "description", "num_qubits", "contributed_by", "trust_reason", "trust_by", "trust_at")
    values = {name: getattr(row, name) for name in kept} | {"trust": row.trust.value}
    back = connection.execute(update(qpus).where(qpus.c.name == row.name).values(**values, deleted_at=None))
    if back.rowcount == 0:
        connection.execute(insert(qpus).values(**values, name=row.name, created_at=row.created_at))


def delete_qpu(connection: Connection, name: str, at: datetime) -> None:
    """Take a QPU out of the lab; what was done on it stays. It comes back switched on and without a manifest."""
    change_qpu(connection, name, deleted_at=at, enabled=True, maintenance=False, hold=None, manifest=None)


def change_qpu(connection: Connection, name: str, **values: Any) -> None:
    """Set columns of a QPU (Any: each has its own type)."""
    connection.execute(update(qpus).where(qpus.c.name == name).values(**values))


def driver(connection: Connection, driver_id: str) -> DriverRow | None:
    """The driver of that id, if there is one."""
    return first(connection, select(drivers).where(drivers.c.id == driver_id), whole(DriverRow))


def driver_named(connection: Connection, name: str) -> DriverRow | None:
    """The driver of that name, if there is one, or was."""
    return first(connection, select(drivers).where(drivers.c.name == name), whole(DriverRow))


def change_driver(connection: Connection, driver_id: str, **values: Any) -> None:
    """Set columns of a driver (Any: each has its own type)."""
    connection.execute(update(drivers).where(drivers.c.id == driver_id).values(**values))


def add_driver(connection: Connection, row: DriverRow) -> None:
    """Write a new driver, in the place of a revoked one of that id."""
    values = {name: getattr(row, name) for name in ("name", "qpu", "monitor", "created_at", "launch")}
    back = connection.execute(
        update(drivers).where(drivers.c.id == row.id).values(**values, enabled=True, revoked_at=None)
    )
    if back.rowcount == 0:
        connection.execute(insert(drivers).values(id=row.id, **values))


def all_drivers(connection: Connection, *, qpu: str | None = None) -> list[DriverRow]:
    """The drivers that are not revoked, by name; all of them, or those of a QPU."""
    query = select(drivers).where(drivers.c.revoked_at.is_(None), *equal({drivers.c.qpu: qpu})).order_by(drivers.c.name)
    return list(each(connection.execute(query), whole(DriverRow)))


def greet(
    connection: Connection, row: DriverRow, *, instance: str, host: str, version: str, places: int, at: datetime
) -> int:
    """Note a driver's hello; its new epoch."""
    epoch = row.epoch + 1
    hello = {"instance": instance, "host": host, "version": version, "places": places}
    change_driver(connection, row.id, epoch=epoch, hello_at=at, **hello)
    return epoch


_EMBEDDED = select(embedded_drivers, qpus.c.kind, qpus.c.description).join(qpus, qpus.c.name == embedded_drivers.c.qpu)


def all_embedded(connection: Connection) -> list[EmbeddedDriver]:
    """Every definition of an embedded driver, by name."""
    query = _EMBEDDED.where(qpus.c.deleted_at.is_(None)).order_by(embedded_drivers.c.name)
    return list(each(connection.execute(query), whole(EmbeddedDriver)))


def put_embedded(connection: Connection, row: EmbeddedDriver) -> None:
    """Write a definition, in the place of an earlier one of that name."""
    values = {"qpu": row.qpu, "executor": row.executor, "options": dict(row.options), "places": row.places}
    changed = connection.execute(update(embedded_drivers).where(embedded_drivers.c.name == row.name).values(**values))
    if changed.rowcount == 0:
        connection.execute(insert(embedded_drivers).values(name=row.name, **values))


def embedded(connection: Connection, name: str) -> EmbeddedDriver | None:
    """The definition of that name, if there is one."""
    return first(connection, _EMBEDDED.where(embedded_drivers.c.name == name), whole(EmbeddedDriver))


def drop_embedded(connection: Connection, name: str) -> None:
    """Forget a definition."""
    connection.execute(delete(embedded_drivers).where(embedded_drivers.c.name == name))

"""The QPUs of a lab, and what they look like as a table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from msgspec import UNSET, UnsetType

from qpi_jupyter.core import NotFound, counted
from qpi_jupyter.wire.rest import QpuChange, QpuDetail, QpuList, QpuModel

from . import times
from .calling import did_you_mean
from .http import Http, path
from .portal import both
from .status import qpu_word
from .tables import Table


class QpuTable(Table[QpuModel]):
    """The lab's QPUs; ``table["sim-a"]`` finds one by its name."""

    caption = "QPUs of this lab"
    empty = "This lab has no QPU yet."
    columns = ("name", "status", "reason", "qubits", "kind", "executor", "waiting", "running", "description")

    def row(self, item: QpuModel) -> tuple[str, ...]:
        kind = "simulator" if item.simulator else item.kind
        return (
            item.name, qpu_word(item.status), condition(item), str(item.num_qubits or ""), kind, item.executor,
            str(item.queued), f"{item.running} of {item.places}", item.description,
        )  # fmt: skip

    def record(self, item: QpuModel) -> dict[str, Any]:
        return super().record(item) | {"status": item.status}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(qpu.name for qpu in self)

    def __getitem__(self, index: Any) -> Any:
        # A name or what every sequence takes: the union of the overloads says no more than Any.
        return named(self, index) if isinstance(index, str) else super().__getitem__(index)


def condition(qpu: QpuModel) -> str:
    """Why a QPU is as it is, and until when, as far as that is known."""
    until = "" if qpu.until_at is None else f"until {times.stamp(qpu.until_at, datetime.now(UTC))}"
    return ", ".join(filter(None, [qpu.reason, until]))


class HasName(Protocol):
    """What a QPU's name finds."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=HasName)


def named(qpus: Iterable[N], name: str) -> N:
    """The one with this name.

    Raises
    ------
    NotFound
        there is none; the message says what there is, and what was probably meant.
    """
    found = {qpu.name: qpu for qpu in qpus}
    if name not in found:
        hint = did_you_mean(name, found) or f" There are: {', '.join(found)}."
        raise NotFound(f"There is no QPU {name!r}.{hint}", code="no_qpu")
    return found[name]


class Qpu(QpuDetail, kw_only=True, dict=True):
    """One QPU with what it can do: its ``manifest``, once a driver has been there."""

    @property
    def http(self) -> Http:
        found: Http = vars(self)["_http"]
        return found

    @both
    async def refresh(self) -> Qpu:
        """Read it again."""
        return await self._ask("GET")

    @both
    async def edit(
        self,
        *,
        enabled: bool | UnsetType = UNSET,
        maintenance: bool | UnsetType = UNSET,
        hold: str | UnsetType | None = UNSET,
        description: str | UnsetType = UNSET,
    ) -> Qpu:
        """Change what is given; the rest stays. For managers. Jobs that run are not stopped.

        Parameters
        ----------
        enabled
            False: nothing starts there.
        maintenance
            True: nothing starts there, and its state says why.
        hold
            why nothing starts there for now, which those who wait are told; None releases the hold.
        """
        change = QpuChange(enabled=enabled, maintenance=maintenance, hold=hold, description=description)
        return await self._ask("PATCH", change)

    async def _ask(self, method: str, body: QpuChange | None = None) -> Qpu:
        answer = await self.http.call(method, f"v1/qpus/{path(self.name)}", QpuDetail, body=body)
        for field in answer.__struct_fields__:
            setattr(self, field, getattr(answer, field))
        return self

    def __repr__(self) -> str:
        kind = "simulator" if self.simulator else self.kind
        qubits = counted(self.num_qubits, "qubit")
        return f"<QPU {self.name}: {qpu_word(self.status)}, {qubits}, {kind} ({self.executor})>"

    def _repr_html_(self) -> str:
        return QpuTable([self])._repr_html_()


class Qpus:
    """What a `Lab` knows about QPUs."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def qpus(self) -> QpuTable:
        """All QPUs of the lab, as a table."""
        return QpuTable((await self.http.call("GET", "v1/qpus", QpuList)).qpus)

    @both
    async def qpu(self, name: str) -> Qpu:
        """One QPU with what it can do."""
        found = await self.http.call("GET", f"v1/qpus/{path(name)}", Qpu)
        vars(found)["_http"] = self.http
        return found

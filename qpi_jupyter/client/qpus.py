"""The QPUs of a lab, and what they look like as a table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from qpi_jupyter.core import NotFound
from qpi_jupyter.wire.rest import QpuDetail, QpuList, QpuModel

from . import times
from .http import Http, path
from .portal import both
from .tables import Table


class QpuTable(Table[QpuModel]):
    """The lab's QPUs; ``table["sim-a"]`` finds one by its name."""

    caption = "QPUs of this lab"
    empty = "This lab has no QPU yet."
    columns = ("name", "status", "reason", "qubits", "kind", "executor", "waiting", "running", "description")

    def row(self, item: QpuModel) -> tuple[str, ...]:
        kind = "simulator" if item.simulator else item.kind
        return (
            item.name, item.status, condition(item), str(item.num_qubits), kind, item.executor, str(item.queued),
            f"{item.running} of {item.places}", item.description,
        )  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(qpu.name for qpu in self)

    def __getitem__(self, index: Any) -> Any:
        # A name or what every sequence takes: the union of the overloads says no more than Any.
        if isinstance(index, str):
            for qpu in self:
                if qpu.name == index:
                    return qpu
            raise NotFound(f"There is no QPU {index!r}; there are: {', '.join(self.names)}.", code="no_qpu")
        return super().__getitem__(index)


def condition(qpu: QpuModel) -> str:
    """Why a QPU is as it is, and until when, as far as that is known."""
    until = "" if qpu.until_at is None else f"until {times.stamp(qpu.until_at, datetime.now(UTC))}"
    return ", ".join(filter(None, [qpu.reason, until]))


class Qpus:
    """What a `Lab` knows about QPUs."""

    def __init__(self, http: Http) -> None:
        self.http = http

    @both
    async def qpus(self) -> QpuTable:
        """All QPUs of the lab, as a table."""
        return QpuTable((await self.http.call("GET", "v1/qpus", QpuList)).qpus)

    @both
    async def qpu(self, name: str) -> QpuDetail:
        """One QPU with what it can do."""
        return await self.http.call("GET", f"v1/qpus/{path(name)}", QpuDetail)

"""What a list of QPUs or jobs looks like: text in a terminal, a table in a notebook, a DataFrame on request."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from qpi_jupyter.core.errors import NotFound
from qpi_jupyter.wire.rest import QpuModel

if TYPE_CHECKING:
    import pandas as pd

    from .jobs import JobHandle

T = TypeVar("T")

_COLOURS = {
    "online": "--jp-success-color1, #388e3c",
    "offline": "--jp-ui-font-color3, #9e9e9e",
    "completed": "--jp-success-color1, #388e3c",
    "running": "--jp-brand-color1, #1976d2",
    "maintenance": "--jp-warn-color1, #f57c00",
    "pending": "--jp-warn-color1, #f57c00",
    "failed": "--jp-error-color1, #d32f2f",
}


class Table(Sequence[T], Generic[T]):
    """A read-only list that shows itself as a table."""

    caption = ""
    empty = "nothing"
    columns: tuple[str, ...] = ()

    def __init__(self, items: Sequence[T]) -> None:
        self._items = tuple(items)

    @abstractmethod
    def row(self, item: T) -> tuple[str, ...]:
        """One item's cells, in the order of `columns`."""

    def record(self, item: T) -> dict[str, Any]:
        """One item for a DataFrame."""
        return dict(zip(self.columns, self.row(item), strict=True))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def to_pandas(self) -> pd.DataFrame:
        """The table as a DataFrame (needs pandas)."""
        import pandas as pd

        return pd.DataFrame([self.record(item) for item in self], columns=list(self.columns) if not self else None)

    def __repr__(self) -> str:
        if not self:
            return f"({self.empty})"
        rows = [self.columns, *(self.row(item) for item in self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def _repr_html_(self) -> str:
        if not self:
            return f"<p><em>{escape(self.empty)}</em></p>"
        head = "".join(f'<th scope="col" style="text-align:left">{escape(name)}</th>' for name in self.columns)
        body = "".join(f"<tr>{''.join(_cell(text) for text in self.row(item))}</tr>" for item in self)
        caption = f'<caption style="text-align:left">{escape(self.caption)}</caption>' if self.caption else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    colour = _COLOURS.get(text)
    dot = f'<span aria-hidden="true" style="color:var({colour})">&#9679;</span>&nbsp;' if colour else ""
    return f'<td style="text-align:left">{dot}{escape(text)}</td>'


class QpuTable(Table[QpuModel]):
    """The lab's QPUs; ``table["sim-a"]`` finds one by its name."""

    caption = "QPUs of this lab"
    empty = "This lab has no QPU yet."
    columns = ("name", "status", "qubits", "kind", "executor", "queued", "running", "description")

    def row(self, item: QpuModel) -> tuple[str, ...]:
        kind = "simulator" if item.simulator else item.kind
        return (
            item.name, item.status, str(item.num_qubits), kind, item.executor, str(item.queued),
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


class JobTable(Table["JobHandle"]):
    """Jobs, newest first; each item is the handle itself."""

    caption = "Jobs"
    empty = "No jobs yet."
    columns = ("id", "status", "qpu", "name", "circuits", "shots", "submitted", "took", "what")

    def row(self, item: JobHandle) -> tuple[str, ...]:
        model = item.model
        took = "" if model.ended_at is None else _seconds((model.ended_at - model.submitted_at).total_seconds())
        return (
            model.id, model.status, model.qpu or "", model.name, str(model.num_circuits), str(model.shots),
            _ago(model.submitted_at), took, "" if model.status == "completed" else item.explanation(),
        )  # fmt: skip

    def record(self, item: JobHandle) -> dict[str, Any]:
        model = item.model
        return {
            "id": model.id, "status": model.status, "qpu": model.qpu, "name": model.name,
            "circuits": model.num_circuits, "shots": model.shots, "submitted_at": model.submitted_at,
            "started_at": model.started_at, "ended_at": model.ended_at, "busy_s": model.busy_s,
        }  # fmt: skip


def _ago(at: datetime) -> str:
    """How long ago, in the largest unit that fits."""
    passed = max(0.0, (datetime.now(UTC) - at).total_seconds())
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if passed >= size:
            return f"{passed / size:.0f} {unit} ago"
    return "just now" if passed < 5 else f"{passed:.0f} s ago"


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.3g} s"

"""What a list looks like: text in a terminal, a table in a notebook, a DataFrame on request."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

from msgspec.structs import asdict

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")

_ONE_LINE = 24
"""So many characters of a cell stay together."""
_COLOURS = {
    "Online": "--jp-success-color1, #388e3c",
    "Offline": "--jp-ui-font-color3, #9e9e9e",
    "Completed": "--jp-success-color1, #388e3c",
    "Running": "--jp-brand-color1, #1976d2",
    "On hold": "--jp-warn-color1, #f57c00",
    "In maintenance": "--jp-warn-color1, #f57c00",
    "Waiting": "--jp-warn-color1, #f57c00",
    "Failed": "--jp-error-color1, #d32f2f",
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
    def __getitem__(self, index: slice) -> Self: ...
    def __getitem__(self, index: int | slice) -> T | Self:
        if not isinstance(index, slice):
            return self._items[index]
        part = copy.copy(self)
        vars(part)["_items"] = self._items[index]
        return part

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


class ModelTable(Table[T]):
    """A `Table` whose records are all that the lab says of an item."""

    def record(self, item: T) -> dict[str, Any]:
        """As `Table.record`."""
        said: Any = item  # a struct, or what has one as its ``model``
        return asdict(getattr(item, "model", said))


def _cell(text: str) -> str:
    colour = _COLOURS.get(text)
    dot = f'<span aria-hidden="true" style="color:var({colour})">&#9679;</span>&nbsp;' if colour else ""
    # What is short, such as an id or a length of time, stays on one line.
    wrap = ";white-space:nowrap" if len(text) <= _ONE_LINE else ""
    return f'<td style="text-align:left{wrap}">{dot}{escape(text)}</td>'

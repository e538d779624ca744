"""Values of a file with the names that lead to them, so that whatever is wrong is refused by its key."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

from qpi_jupyter.core import Rejected

T = TypeVar("T")
_KINDS = {bool: "true or false", str: "a text", list: "a list", dict: "keys and values"}
_SHOWN = 60


class Tagged(dict[str, Any]):
    """Keys and values under a YAML tag, such as ``BasicTransmonElement``."""

    def __init__(self, tag: str, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.tag = tag


class Node:
    """A value (Any: JSON) of ``file``, found at ``path``, such as ``hardware_options.output_att.q0:mw-q0.01``.

    What is null or NaN counts as not set. Where a value is not what a method says, it raises `Rejected` with the path.
    """

    __slots__ = ("file", "path", "value")

    def __init__(self, value: Any, file: str, path: str = "") -> None:
        self.value, self.file, self.path = value, file, path

    def __repr__(self) -> str:
        return f"{self.file}: {self.path}"

    def refusal(self, problem: str) -> Rejected:
        """The error that says what is wrong with this key."""
        return Rejected(f"{self.where} {problem}.", code="bad_config", field=self.path, file=self.file)

    @property
    def where(self) -> str:
        """The file and the key, as messages name them."""
        return f"{self.file}: {self.path}" if self.path else f"{self.file}"

    @property
    def tag(self) -> str:
        """The YAML tag of the value, empty without one."""
        return self.value.tag if isinstance(self.value, Tagged) else ""

    @property
    def unset(self) -> bool:
        """Whether the value is null or NaN, with which the libraries write what is not known yet."""
        return self.value is None or (isinstance(self.value, float) and math.isnan(self.value))

    def child(self, key: str | int, value: Any) -> Node:
        """A part of this value under its name."""
        return Node(value, self.file, f"{self.path}.{key}" if self.path else str(key))

    def get(self, *keys: str) -> Node | None:
        """The value under these keys, None where one of them is missing or not set."""
        node = self
        for key in keys:
            values = node.mapping()
            if key not in values:
                return None
            node = values[key]
            if node.unset:
                return None
        return node

    def need(self, *keys: str) -> Node:
        """The value under these keys, all of which have to be there."""
        node = self
        for key in keys:
            found = node.get(key)
            if found is None:
                raise node.child(key, None).refusal("is missing")
            node = found
        return node

    def mapping(self) -> dict[str, Node]:
        """The parts by their names."""
        value: dict[str, Any] = self._of(dict)
        return {key: self.child(key, part) for key, part in value.items()}

    def items(self) -> Iterator[tuple[str, Node]]:
        """The parts by their names, without those that are not set."""
        return ((key, part) for key, part in self.mapping().items() if not part.unset)

    def list(self) -> list[Node]:
        """The parts of a list."""
        value: list[Any] = self._of(list)
        return [self.child(k, part) for k, part in enumerate(value)]

    def only(self, known: Collection[str]) -> None:
        """Refuse the first key that is not among these."""
        for key, part in self.mapping().items():
            if key not in known:
                close = get_close_matches(key, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known)) or 'none'}"
                raise part.refusal(f"is not a known key ({hint})")

    def number(self, low: float = -math.inf, high: float = math.inf, unit: str = "") -> float:
        """A finite number between these bounds, which are in ``unit``."""
        value = self.value
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and low <= value <= high and math.isfinite(value):
            return float(value)
        of = f"a number from {low:g} to {high:g}" if math.isfinite(low) and math.isfinite(high) else "a finite number"
        raise self._not(f"{of}{f' in {unit}' if unit else ''}")

    def whole(self, low: int, high: int) -> int:
        """A whole number between these bounds."""
        if isinstance(self.value, int) and not isinstance(self.value, bool) and low <= self.value <= high:
            return self.value
        raise self._not(f"a whole number from {low} to {high}")

    def text(self) -> str:
        """A text that is not empty."""
        value: str = self._of(str)
        if not value.strip():
            raise self._not("a text")
        return value

    def flag(self) -> bool:
        """True or false."""
        value: bool = self._of(bool)
        return value

    def choice(self, known: Collection[str]) -> str:
        """One of these words."""
        if not isinstance(self.value, str) or self.value not in known:
            raise self._not(" or ".join(sorted(known)))
        return self.value

    def _of(self, kind: type[T]) -> T:
        if not isinstance(self.value, kind):
            raise self._not(_KINDS[kind])
        return self.value

    def _not(self, what: str) -> Rejected:
        if (
            not self.path
        ):  # of a file that is none of a lab, nothing is shown: it may be anything that the server can read
            return self.refusal(f"is not a file of a device or its instruments: its content must be {what}")
        shown = "keys and values" if isinstance(self.value, dict) else repr(self.value)
        return self.refusal(f"must be {what}, not {shown[:_SHOWN]}{'...' if len(shown) > _SHOWN else ''}")

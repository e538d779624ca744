"""What a person attached to a circuit, as JSON has it: numpy's numbers and arrays become Python's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_MAX_DEPTH = 64
_LOST = object()


def plain_json(value: Mapping[Any, Any] | None) -> tuple[dict[str, Any], list[str]]:
    """A mapping as JSON can carry it, and what it could not: each with its place, as ``fit['chi2'] is nan``.

    What cannot travel is left out of a mapping; in a list None takes its place, so that the rest keeps its positions.
    """
    lost: list[str] = []
    found = {} if value is None else _mapping(value, "", lost)
    return found, lost


def _plain(value: Any, at: str, lost: list[str]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        text = str.__str__(value)
        return text if text.isprintable() or _encodes(text) else _left_out(value, at, lost)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else _left_out(value, at, lost)
    if at.count("[") > _MAX_DEPTH:
        lost.append(f"{at[:80]}... is nested too deeply")
        return _LOST
    if isinstance(value, Mapping):
        return _mapping(value, at, lost)
    if isinstance(value, (list, tuple)):
        items = (_plain(item, f"{at}[{index}]", lost) for index, item in enumerate(value))
        return [None if item is _LOST else item for item in items]
    numbers = getattr(value, "tolist", None)  # numpy's, of an array and of a single number
    if callable(numbers) and not isinstance(value, type):
        found = numbers()
        if type(found) is not type(value):
            return _plain(found, at, lost)
        if value.dtype.kind == "f":  # of more digits than Python has
            return _plain(float(value), at, lost)
    return _left_out(value, at, lost)


def _mapping(value: Mapping[Any, Any], at: str, lost: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, item in value.items():
        place = f"{at}[{key!r}]" if at else str(key)
        name = _key(key)
        if name is None:
            lost.append(f"{place} has a key of type {type(key).__name__}")
            continue
        if name in found:
            lost.append(f"{place} is there twice")
            continue
        kept = _plain(item, place, lost)
        if kept is not _LOST:
            found[name] = kept
    return found


def _key(key: Any) -> str | None:
    """A key as JSON writes it; None if it has no way to."""
    one = getattr(key, "tolist", None)
    key = one() if callable(one) else key
    if isinstance(key, str):
        return str.__str__(key) if _encodes(key) else None
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int):
        return str(int(key))
    return repr(float(key)) if isinstance(key, float) and math.isfinite(key) else None


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _left_out(value: Any, at: str, lost: list[str]) -> Any:
    single = isinstance(value, (float, str))
    lost.append(f"{at} is {value!r}" if single else f"{at} is of type {type(value).__name__}")
    return _LOST

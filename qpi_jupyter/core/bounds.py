"""Bounds of what comes from outside, and the checks of plain values: each is right or a ValueError names its field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MAX_SECONDS = 1e9
"""The longest time that a lab counts with: 30 years. Every sum of such times is a finite number."""
MAX_TEXT = 200
"""A name, a version, a unit (characters)."""
MAX_MESSAGE = 4_000
"""A message for a person (characters)."""
_MAX_DEPTH, _MAX_DATA, _ITEM, _MAX_WHOLE = 6, 16_000, 8, 2**63 - 1


def figure(name: str, value: object, low: float, high: float) -> None:
    """Refuse what is not a finite number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {value!r:.40}")


def whole(name: str, value: object, low: int, high: int) -> None:
    """Refuse what is not a whole number from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low:,} to {high:,}, not {value!r:.40}")


def text(name: str, value: object, longest: int = MAX_TEXT) -> None:
    """Refuse what is not a text of at most ``longest`` characters without control characters."""
    if not isinstance(value, str) or len(value) > longest or readable(value, longest) != value:
        raise ValueError(f"{name} must be a text of at most {longest:,} characters without control characters")


def seconds(value: float) -> float:
    """The time, brought to between 0 and `MAX_SECONDS`: for a row that an earlier version wrote unseen."""
    return min(max(value, 0.0), MAX_SECONDS) if math.isfinite(value) else MAX_SECONDS if value > 0 else 0.0


def readable(value: str, longest: int = MAX_MESSAGE) -> str:
    """The text without control characters other than new lines and tabs, cut after ``longest`` characters."""
    kept = value[: longest + 1].translate(_CONTROL)
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


_CONTROL = dict.fromkeys(
    code for code in (*range(32), *range(127, 0xA0), *range(0xD800, 0xE000)) if chr(code) not in "\n\t"
)


def plain_data(raw: Mapping[Any, Any]) -> dict[str, Any]:  # Any: JSON, whatever it holds
    """The part of a JSON object that is small enough to be kept and shown: figures, texts and short lists."""
    found = _plain(raw, _MAX_DEPTH, [_MAX_DATA])
    assert isinstance(found, dict)
    return found


def _plain(value: Any, depth: int, room: list[int]) -> Any:
    """``value`` as far as there is ``room`` (characters, about) and ``depth``."""
    room[0] -= _ITEM
    if isinstance(value, str):
        return _text(value, room)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MAX_WHOLE else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth == 0:
        return None
    if isinstance(value, Mapping):
        return {_text(str(k), room): _plain(v, depth - 1, room) for k, v in value.items() if room[0] > 0}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1, room) for item in value if room[0] > 0]
    return _text(str(value), room)


def _text(value: str, room: list[int]) -> str:
    found = readable(value, max(1, min(MAX_MESSAGE, room[0])))
    room[0] -= len(found)
    return found

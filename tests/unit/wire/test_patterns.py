"""No pattern of a field lets a line end pass behind what it asks for."""

from __future__ import annotations

import gc
import importlib
import pkgutil
import re

from msgspec import Struct, inspect

import qpi_jupyter.wire


def patterns() -> set[str]:
    """Every pattern of every struct on the wire."""
    for module in pkgutil.iter_modules(qpi_jupyter.wire.__path__):
        importlib.import_module(f"qpi_jupyter.wire.{module.name}")
    kinds = {kind for kind in gc.get_objects() if isinstance(kind, type) and issubclass(kind, Struct)}
    ours = [kind for kind in kinds if kind.__module__.startswith("qpi_jupyter.wire.")]
    return {pattern for kind in inspect.multi_type_info(ours) for pattern in _inside(kind, set())}


def _inside(node: object, seen: set[int]) -> set[str]:
    if id(node) in seen or not isinstance(node, Struct):
        return set()
    seen.add(id(node))
    found: set[str] = set()
    for name in node.__struct_fields__:
        value = getattr(node, name)
        if name == "pattern" and value is not None:
            found.add(value)
        for inner in value if isinstance(value, tuple | list) else (value,):
            found |= _inside(inner, seen)
    return found


def test_a_line_end_passes_none_of_them() -> None:
    found = patterns()
    assert len(found) >= 5
    for pattern in found:
        for good in ("a1", "22:00", "", "mock", "m:C", "0" * 64, "0x1", "XZ"):
            if re.search(pattern, good):
                assert not re.search(pattern, f"{good}\n"), pattern
                break
        else:
            raise AssertionError(f"no example fits {pattern}")

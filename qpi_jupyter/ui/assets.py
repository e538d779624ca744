"""The widgets' modules and styles: plain files, joined where several views share a part."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_STATIC = Path(__file__).parent / "static"


@cache
def module(*names: str) -> str:
    """One ES module of these files, in their order; the last one exports the widget."""
    return "\n".join((_STATIC / f"{name}.js").read_text(encoding="utf-8") for name in names)


@cache
def style(name: str) -> str:
    """A stylesheet."""
    return (_STATIC / f"{name}.css").read_text(encoding="utf-8")

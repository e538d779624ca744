"""What all widgets have: modules and styles (plain files, joined where several share a part), a plain form beside."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

Mimebundle = tuple[dict[str, Any], dict[str, Any]]
STATIC = Path(__file__).parent / "static"


@cache
def module(*names: str) -> str:
    """One ES module of these files, in their order; the last one exports the widget."""
    return "\n".join((STATIC / f"{name}.js").read_text(encoding="utf-8") for name in names)


@cache
def style(name: str) -> str:
    """A stylesheet."""
    return (STATIC / f"{name}.css").read_text(encoding="utf-8")


def beside(widget: Mimebundle | None, plain: dict[str, Any]) -> Mimebundle:
    """A widget's own representations, and those for people who have no widgets."""
    data, metadata = widget or ({}, {})
    return {**data, **plain}, metadata

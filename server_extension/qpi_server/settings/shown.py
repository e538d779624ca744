"""``jupyter qpi --show-config``: every setting, its value and where it came from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from traitlets import TraitType

from .traits import LabTraits
from .values import MASK, SECRET, Setting, is_secret, own_traits

Rows = Mapping[str, dict[str, Any]]
"""Value and source by setting (Any: JSON)."""


def as_table(described: Rows) -> str:
    """One line for each setting."""
    rows = [("Setting", "Value", "From")]
    rows += [(name, _text(row["value"]), row["source"]) for name, row in described.items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows)


def as_json(described: Rows) -> str:
    """The same for programs."""
    return json.dumps(described, indent=2)


def describe(traits: LabTraits, stated: Mapping[str, Setting]) -> Rows:
    """Every setting of ``traits``, with where it was ``stated``; what is secret is masked."""
    return {
        name: {
            "value": _shown(name, trait, getattr(traits, name)),
            "source": stated[name].source if name in stated else "default",
        }
        for name, trait in sorted(own_traits(type(traits)).items())
    }


def _shown(name: str, trait: TraitType[Any, Any], value: Any) -> Any:
    plain, secret = msgspec.to_builtins(value), is_secret(name, trait)
    if (shown := trait.metadata.get("shown")) is not None:
        return shown(plain)
    if secret and isinstance(plain, list):
        return [{k: MASK if v and SECRET.search(k) else v for k, v in item.items()} for item in plain]
    return MASK if secret and plain else plain


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(item["name"] if isinstance(item, dict) else str(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)

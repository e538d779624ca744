"""``jupyter qpi --show-config``: every setting, its value and where it came from."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from .app import QPIServer
from .settings import MASK, SECRET, is_secret, own_traits


def as_table(app: QPIServer) -> str:
    """One line for each setting."""
    rows = [("Setting", "Value", "From")]
    rows += [(name, _text(row["value"]), row["source"]) for name, row in described(app).items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {source}" for name, value, source in rows)


def as_json(app: QPIServer) -> str:
    """The same for programs."""
    return json.dumps(described(app), indent=2)


def described(app: QPIServer) -> dict[str, dict[str, Any]]:
    """Value and source by setting; what is secret is masked."""
    return {
        name: {
            "value": _shown(getattr(app, name), secret=is_secret(name, trait)),
            "source": app.stated[name].source if name in app.stated else "default",
        }
        for name, trait in sorted(own_traits(QPIServer).items())
    }


def _shown(value: Any, *, secret: bool) -> Any:
    plain = msgspec.to_builtins(value)
    if secret and isinstance(plain, list):
        return [{k: MASK if v and SECRET.search(k) else v for k, v in item.items()} for item in plain]
    return MASK if secret and plain else plain


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(item["name"] if isinstance(item, dict) else str(item) for item in value)
    return value if isinstance(value, str) else json.dumps(value)

"""Walking the table of routes: where each one is, what it must be asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from msgspec import Struct, inspect

from qpi_server.web.table import Route

NEEDED: dict[str, dict[str, str]] = {
    "ImportQuery": {"qpu": "q1"},
    "ReadingsQuery": {"channel": "mxc/temperature"},
    "NextFreeQuery": {"qpu": "q1", "seconds": "60"},
}
"""What a query must have."""
OF_PATH = {
    "jobs": "job", "bookings": "booking", "booking-rules": "rule", "feeds": "feed", "join-links": "join",
    "sessions": "session",
    "notices": "notice", "tokens": "token", "time-requests": "request", "groups": "group", "users": "person",
    "qpus": "qpu", "drivers": "driver", "driver": "driver", "simulators": "simulator", "accounts": "person",
    "programs": "program", "quantum_jobs": "job", "time_slots": "slot", "api_tokens": "token",
    "notifications": "notice", "qpu_time_requests": "request", "plans": "plan",
}  # fmt: skip
"""What kind of thing the name after such a part of a path is."""


def path_of(route: Route, names: Mapping[str, str]) -> str:
    """The route's path with the names of real things."""
    parts = route.path.lstrip("/").split("/")
    for n, part in enumerate(parts):
        if part == "{secret}":
            parts[n] = names["feed_secret"]
        elif part == "{attempt}":
            parts[n] = "1"
        elif part.startswith("{"):
            kind = OF_PATH.get(parts[n - 2] if parts[n - 1] == "records" else parts[n - 1], "")
            kind = "plan_job" if parts[n + 1 : n + 2] == ["plan"] else kind
            parts[n] = quote(names.get(kind, "some"), safe="")
    return "/".join(parts)


def query_of(route: Route) -> dict[str, str]:
    """What its query must have."""
    return NEEDED.get(route.query.__name__, {}) if route.query is not None else {}


def address_of(route: Route, names: Mapping[str, str]) -> str:
    """Path and query."""
    query = "&".join(f"{name}={value}" for name, value in query_of(route).items())
    return path_of(route, names) + (f"?{query}" if query else "")


def fields_in(kind: type[Struct]) -> Iterator[tuple[str, ...]]:
    """Where the fields of a struct are, those of structs in it (and in lists in it) too."""
    for field in inspect.type_info(kind).fields:  # type: ignore[attr-defined]
        yield (field.encode_name,)
        inner, listed = _plain(field.type), False
        if isinstance(inner, inspect.ListType):
            inner, listed = _plain(inner.item_type), True
        if isinstance(inner, inspect.StructType):
            for path in fields_in(inner.cls):
                yield (field.encode_name, *(("0",) if listed else ()), *path)


def _plain(info: Any) -> Any:
    while isinstance(info, inspect.Metadata | inspect.UnionType):
        if isinstance(info, inspect.Metadata):
            info = info.type
        else:
            info = next(one for one in info.types if not isinstance(one, inspect.NoneType))
    return info


def changed(body: Any, path: tuple[str, ...], value: Any) -> Any:
    """``body`` with ``value`` at ``path``, whatever was there."""
    if not path:
        return value
    if path[0] == "0":
        first = body[0] if isinstance(body, list) and body else None
        return [changed(first, path[1:], value)]
    there = body if isinstance(body, dict) else {}
    return {**there, path[0]: changed(there.get(path[0]), path[1:], value)}


def encoded(body: Any) -> bytes:
    """As JSON."""
    return msgspec.json.encode(body)

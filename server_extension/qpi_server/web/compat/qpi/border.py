"""The one way in of what QPI's clients send: every field is carried out, known to mean nothing, or refused by name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

import msgspec
from msgspec import Struct

from qpi_jupyter.core import QpiError, Rejected
from qpi_jupyter.wire.rest import decode
from qpi_server.web.table import Route, parse_query

from .base import PREFIX

EVERY = "*"
_OF_THE_RECORD = "PocketBase writes it itself; clients send whole records back"
_RECORD = dict.fromkeys(("collectionId", "collectionName", "created", "updated", "expand"), _OF_THE_RECORD)
_CACHE = {EVERY: "a page's way around its own cache"}
IGNORED: Mapping[str, Mapping[str, str]] = {
    "POST op/qpus/create": {
        "executor_type": "QPI has not read it since 0.1; its Python and Go clients still send it",
        "access_token": "QPI has not read it since 0.1; its Go client has it in its record",
        "device_config": "QPI has not read it since 0.1; its Go client has it in its record",
    },
    "GET oauth2-redirect": {EVERY: "a provider sends words of its own along (scope, session_state, iss)"},
    "GET theme/active": _CACHE,
    "GET theme/defaults": _CACHE,
    "GET theme/css": _CACHE,
    "GET theme/js": _CACHE,
    "POST op/drivers/connect": {EVERY: "nobody is let in here: the answer is 410 whatever is sent"},
    "POST op/qpus/connect": {EVERY: "gone from QPI itself: the answer is 410 whatever is sent"},
    **{
        f"{method} collections/{collection}/records{one}": _RECORD
        for collection in ("users", "time_slots", "quantum_jobs", "qpu_time_requests", "notifications", "api_tokens")
        for method, one in (("POST", ""), ("PATCH", "/{id}"))
    },
}
"""What published clients send and the lab does not act on, by route, with the reason; all else is refused by name."""

ALIASES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "POST collections/users/records": {"name": ("username", "email"), "display_name": ("name",)},
    "PATCH collections/users/records/{id}": {
        "display_name": ("name",), "current": ("oldPassword",), "new": ("password",), "balance_s": ("qpu_seconds",),
    },
    "POST collections/users/auth-with-password": {"name": ("identity",)},
    "POST collections/_superusers/auth-with-password": {"name": ("identity",)},
    **{
        f"{method} collections/time_slots/records{one}": {"start_at": ("start_time",), "end_at": ("end_time",)}
        for method, one in (("POST", ""), ("PATCH", "/{id}"))
    },
    **{
        f"{method} collections/notifications/records{one}": {
            "start_at": ("start_time",), "end_at": ("end_time",), "body": ("description",), "people": ("target_users",),
        }
        for method, one in (("POST", ""), ("PATCH", "/{id}"))
    },
    "POST collections/qpu_time_requests/records": {"reason": ("requested_reason",)},
    "PATCH collections/qpu_time_requests/records/{id}": {"reason": ("rejection_reason",)},
    "POST jobs": {"qpu": ("qpu_target",), "program": ("circuits",), "sources": ("circuits",)},
    "POST collections/quantum_jobs/records": {
        "qpu": ("qpu_target", "payload"), "program": ("payload",), "sources": ("payload",), "circuits": ("payload",),
        "shots": ("payload",), "meas_level": ("payload",), "meas_return": ("payload",),
    },
    "POST op/drivers/create": {"executor": ("kind",), "monitor": ("kind",)},
}  # fmt: skip
"""What the lab calls a field, and what this surface's clients call it."""

_OF_CODE = {"unknown_qpu": "qpu"}
"""What a refusal is about that does not say, since the lab raises it for addresses, too."""


def key_of(route: Route) -> str:
    """A route's name in the tables here."""
    return f"{route.method} {route.path.removeprefix(PREFIX)}"


def read_query(arguments: Mapping[str, list[bytes]], route: Route) -> Struct | None:
    """The query as its struct.

    Raises
    ------
    Rejected
        a name that the route does not know, or a value of the wrong type.
    """
    names = set(arguments) - {"token", "_xsrf"}
    kind = route.query
    left = _unknown(route, names, _fields(kind), "query")
    if kind is None:
        return None
    return parse_query({name: found for name, found in arguments.items() if name not in left}, kind)


def read_body(body: bytes, route: Route, path: Mapping[str, str]) -> Struct | None:
    """The body as its struct; a record that is sent back may say which one it is.

    Raises
    ------
    Rejected
        not JSON, a field that the route does not know, or a value of the wrong type.
    """
    kind = route.body
    if kind is None:
        _require_empty(body, route)
        return None
    try:
        sent = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return decode(body, kind)  # it says what is wrong
    if isinstance(sent, dict):
        itself = {"id"} if route.method == "PATCH" and sent.get("id") == path.get("id") else set()
        left = _unknown(route, set(sent) - itself, _fields(kind), "body") | itself
        if left:
            body = msgspec.json.encode({name: value for name, value in sent.items() if name not in left})
    return decode(body, kind)


def in_their_words(error: QpiError, route: Route, body: Struct) -> QpiError:
    """The lab's refusal of ``body``, about the fields that the client sent."""
    names = {
        ours: next((name for name in theirs if getattr(body, name, None)), theirs[0])
        for ours, theirs in ALIASES.get(key_of(route), {}).items()
    }
    ours_is: str = error.data.get("field") or _OF_CODE.get(error.code, "")
    field = names.get(ours_is, ours_is)
    told = copy(error)
    if field and ("field" in error.data or field in _fields(route.body)):
        told.data = {**error.data, "field": field}
    for ours, theirs in names.items():
        if "_" in ours:
            told.message = re.sub(rf"\b{ours}\b", theirs, told.message)
    return told


def _require_empty(body: bytes, route: Route) -> None:
    if not body.strip() or EVERY in IGNORED.get(key_of(route), {}):
        return
    try:
        sent: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        sent = "something"
    if isinstance(sent, dict):
        _unknown(route, sent, set(), "body")
    elif sent is not None:
        raise Rejected(f"{key_of(route)} takes no body.", code="bad_request")


def _fields(kind: type[Struct] | None) -> set[str]:
    return set() if kind is None else {field.encode_name for field in msgspec.structs.fields(kind)}


def _unknown(route: Route, names: Iterable[str], known: set[str], where: str) -> set[str]:
    """Those of ``names`` that mean nothing here; others than those are refused."""
    ignored = IGNORED.get(key_of(route), {})
    left = set(names) - known
    wrong = [] if EVERY in ignored else sorted(left - set(ignored if where == "body" else ()))
    if wrong:
        taken = f"It takes {', '.join(sorted(known))}." if known else f"It takes no {where}."
        raise Rejected(
            f"This lab cannot do what {', '.join(map(repr, wrong[:20]))} in the {where} of {key_of(route)} asks for. "
            f"{taken}",
            code="unknown_field", field=wrong[0], fields=wrong[:20],
        )  # fmt: skip
    return left

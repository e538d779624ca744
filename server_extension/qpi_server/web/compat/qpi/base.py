"""What the routes of QPI's surface share: their table, PocketBase's shapes of a refusal, a record and a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from qpi_jupyter.core import QpiError, Rejected, times
from qpi_jupyter.wire.rest import Answer
from qpi_jupyter.wire.validation import refused
from qpi_server.web.table import Table

PREFIX = "/qpi/api/"
UNLIMITED_S = 999_999_999
"""What QPI's people read as a balance without end."""

T = TypeVar("T")
Record = dict[str, Any]
"""A record as PocketBase sends it; Any: each field has a type of its own."""


class Flaw(Answer):
    """What is wrong with one field."""

    code: str
    message: str


class Refusal(Answer):
    """Every error of this surface, as PocketBase words it."""

    status: int
    message: str
    data: dict[str, Flaw]


class Body(Struct, kw_only=True, forbid_unknown_fields=True):
    """A body from one of QPI's clients; what of it means nothing here stands in `border.IGNORED`."""


class Toggle(Body):
    """``POST op/qpu/toggle``, ``POST op/drivers/toggle``."""

    id: str
    enabled: bool


def refusal(error: QpiError, status: int, _headers: Mapping[str, str]) -> bytes:
    """An error of ours in PocketBase's words."""
    field = error.data.get("field")
    fields = error.data.get("fields") or ([field] if field else [])
    flaws = {str(name): Flaw(code=error.code, message=error.message) for name in fields}
    return msgspec.json.encode(Refusal(status=status, message=error.message, data=flaws))


api = Table(PREFIX, error=Refusal, refuse=refusal)


def record(collection: str, record_id: str, fields: Mapping[str, Any]) -> Record:
    """A record with what PocketBase puts into each."""
    return {"id": record_id, "collectionId": collection, "collectionName": collection, **fields}


def stamp(at: datetime | None) -> str:
    """A time as PocketBase writes it; empty for none."""
    if at is None:
        return ""
    return at.astimezone(UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", "Z")


async def rendered(render: Callable[[T], Record], found: Awaitable[T]) -> Record:
    """What the lab answers, as a record."""
    return render(await found)


def moment(text: str, field: str) -> datetime:
    """The time that a client wrote, in ISO 8601 or as PocketBase writes it; without a zone it is UTC.

    Raises
    ------
    Rejected
        it is none, or lies beyond the lab's calendar.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Rejected(
            f"Cannot read {text[:60]!r} as a time; write 2030-01-31T09:00:00Z.", code="bad_time", field=field
        ) from error
    return times.moment(at if at.tzinfo is not None else at.replace(tzinfo=UTC), field)


def moment_or_none(text: str | UnsetType | None, field: str) -> datetime | UnsetType | None:
    """The time, or None for the empty text that PocketBase takes for none; UNSET stays what it is."""
    return moment(text, field) if text else UNSET if text is UNSET else None


def request(kind: type[T], /, **fields: Any) -> T:
    """A request of the native surface, checked as if it had come there: its structs do not check who makes them. A
    field that is UNSET is left out.

    Raises
    ------
    Rejected
        a field is out of its range.
    """
    try:
        return msgspec.convert({name: value for name, value in fields.items() if value is not UNSET}, kind)
    except msgspec.ValidationError as error:
        raise refused(error, kind, code="bad_request") from error

"""Errors are types that say who must act.

::

    QpiError
    ├── Rejected        the caller: what was sent cannot be done
    │   └── ProgramError    ... and the circuit text says where (line, column)
    ├── Unauthorized    the caller: say who you are
    ├── Forbidden       the caller: you are known, and may not
    ├── NotFound        the caller: there is no such thing, or it is not yours
    ├── Conflict        the caller: read again, then retry
    │   └── BookingConflict ... and here is what is in the way, and what is free
    ├── TooLarge        the caller: send less
    ├── TooMany         the caller: ask less often (``data.retry_after_s``)
    ├── Unavailable     wait and retry: nothing is wrong with the request
    └── Faulted         the bench: the instrument, the driver or the lab failed

Each has a machine-readable ``code``, a message for a person and ``data`` with the figures behind it.  They cross
process boundaries as ``to_dict()`` / ``from_dict()``; the HTTP status belongs to the web layer's one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar


class QpiError(Exception):
    """Something in the lab went wrong."""

    code: str
    default_code: ClassVar[str] = "error"

    def __init__(self, message: str | None = None, *, code: str | None = None, **data: Any) -> None:
        # ``data`` is JSON for people and programs to read: any JSON value is fine, hence Any.
        self.code = code or self.default_code
        self.message = message or (type(self).__doc__ or self.code or "error").strip().splitlines()[0]
        self.data = data
        super().__init__(self.message)

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON: ``{kind, code, message, data}``."""
        return {"kind": type(self).__name__, "code": self.code, "message": self.message, "data": self.data}

    @staticmethod
    def from_dict(raw: Mapping[str, Any]) -> QpiError:
        """Rebuild the error that ``to_dict`` described; an unknown kind becomes a plain `QpiError`."""
        kind = _KINDS.get(str(raw.get("kind")), QpiError)
        error = kind(str(raw.get("message") or "unknown error"), code=str(raw.get("code") or kind.default_code))
        # Not as keywords: whoever sent this may have put a "message" or a "code" among the figures.
        data = raw.get("data")
        error.data |= data if isinstance(data, Mapping) else {}
        return error

    def __reduce__(self) -> tuple[Any, ...]:
        return (QpiError.from_dict, (self.to_dict(),))


class Rejected(QpiError):
    """The request cannot be done as it was sent."""

    default_code = "rejected"


class ProgramError(Rejected):
    """The program cannot be run."""

    default_code = "bad_program"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        circuit: int | None = None,
        line: int | None = None,
        column: int | None = None,
        **data: Any,
    ) -> None:
        super().__init__(message, code=code, circuit=circuit, line=line, column=column, **data)

    @property
    def circuit(self) -> int | None:
        """The circuit's index in its job, from 0."""
        return _whole(self.data["circuit"])

    @property
    def line(self) -> int | None:
        """From 1."""
        return _whole(self.data["line"])

    @property
    def column(self) -> int | None:
        """From 1."""
        return _whole(self.data["column"])


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


class Unauthorized(QpiError):
    """Sign in first: no valid credential came with the request."""

    default_code = "unauthorized"


class Forbidden(QpiError):
    """You may not do this."""

    default_code = "forbidden"


class NotFound(QpiError):
    """There is no such thing, or it is not yours to see."""

    default_code = "not_found"


class Conflict(QpiError):
    """The lab's state has moved on: read it again, then retry."""

    default_code = "conflict"


class BookingConflict(Conflict):
    """This time is booked already."""

    default_code = "booking_conflict"

    @property
    def next_free(self) -> dict[str, str] | None:
        """The first free interval of the same length, ``{start_at, end_at}`` (RFC 3339); None: none in sight."""
        found = self.data.get("next_free")
        return found if isinstance(found, dict) else None

    @property
    def next_free_at(self) -> datetime | None:
        """When that interval begins."""
        return datetime.fromisoformat(self.next_free["start_at"]) if self.next_free is not None else None

    @property
    def clashes(self) -> list[dict[str, Any]]:
        """The bookings in the way: ``{id, qpu, start_at, end_at, mode}``; the first twenty."""
        found = self.data.get("clashes")
        return found if isinstance(found, list) else []


class TooLarge(QpiError):
    """This is more than the lab accepts."""

    default_code = "too_large"


class TooMany(QpiError):
    """Too many attempts: wait before the next one."""

    default_code = "too_many"


class Unavailable(QpiError):
    """The lab cannot do this now: try again in a moment."""

    default_code = "unavailable"


class Faulted(QpiError):
    """The bench failed while running the job."""

    default_code = "faulted"


_KINDS: dict[str, type[QpiError]] = {
    kind.__name__: kind
    for kind in (
        QpiError, Rejected, ProgramError, Unauthorized, Forbidden, NotFound, Conflict, BookingConflict, TooLarge,
        TooMany, Unavailable, Faulted,
    )
}  # fmt: skip

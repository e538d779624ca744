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
from typing import Any, ClassVar, TypeVar

from .bounds import MAX_TEXT, plain_data, readable

T = TypeVar("T")


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
        """Rebuild the error that ``to_dict`` described; an unknown kind becomes a plain `QpiError`.

        What is too long to be shown is cut, whoever sent it.
        """
        kind = _KINDS.get(str(raw.get("kind")), QpiError)
        code = readable(str(raw.get("code") or kind.default_code), MAX_TEXT)
        error = kind(readable(str(raw.get("message") or "unknown error")), code=code)
        # Not as keywords: whoever sent this may have put a "message" or a "code" among the figures.
        data = raw.get("data")
        error.data |= plain_data(data) if isinstance(data, Mapping) else {}
        return error

    @staticmethod
    def from_bench(raw: Mapping[str, Any]) -> QpiError:
        """The error that a driver sent: the program's fault if it says so, else the bench's (`Faulted`).

        No driver can say that the person who waits is not signed in, or that the lab is down.
        """
        error = QpiError.from_dict(raw)
        if programs_fault(error) or isinstance(error, Faulted):
            return error
        fault = Faulted(error.message, code=error.code)
        fault.data |= error.data
        return fault

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
    """You don't have permission to do this."""

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

PROGRAM_FAULTS = (Rejected, TooLarge)
"""What an error is where the program is to blame: the same program would meet it again."""


def existing(found: T | None, error: QpiError) -> T:
    """What was found; nothing is refused with ``error``."""
    if found is None:
        raise error
    return found


def programs_fault(error: BaseException) -> bool:
    """Whether a job has to end because of an error. Every other one is the bench's: the job waits and is tried again.

    It is about what was found out about a program; an error of the link that should have brought that is the link's.
    """
    return isinstance(error, PROGRAM_FAULTS)

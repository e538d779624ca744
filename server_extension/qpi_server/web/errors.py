"""Errors as HTTP: the one table, and the one body."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from tornado.web import HTTPError

from qpi_jupyter.core import (
    Conflict,
    Faulted,
    Forbidden,
    NotFound,
    QpiError,
    Rejected,
    TooLarge,
    TooMany,
    Unauthorized,
    Unavailable,
)
from qpi_jupyter.wire.rest import ErrorBody, JobError

STATUS: dict[type[QpiError], int] = {
    Rejected: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    TooMany: 429,
    Unavailable: 503,
    Faulted: 500,
}
STATUS_OF_CODE = {
    "bad_checksum": 422, "truncated": 422, "bad_result": 422, "bad_executor_option": 422,
    "method_not_allowed": 405, "gone": 410, "unfit": 412, "disk_low": 507, "upgrade_required": 426,
}  # fmt: skip
GONE = "Gone - QPI drivers cannot connect here; start qpi-agent instead"
RETRY_AFTER_S = 1
_KIND_OF_STATUS: dict[int, type[QpiError]] = {status: kind for kind, status in STATUS.items()}


def status_of(error: QpiError) -> int:
    """The HTTP status of ``error``."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def headers_of(error: QpiError) -> dict[str, str]:
    """What else an answer with ``error`` says in its header."""
    status = status_of(error)
    if status in (429, 503):
        return {"Retry-After": str(math.ceil(error.data.get("retry_after_s", RETRY_AFTER_S)))}
    if status == 426:
        return {"Upgrade": "websocket", "Connection": "Upgrade"}
    if status == 401:
        return {"WWW-Authenticate": 'Bearer realm="qpi"'}
    return {}


def reason_of(error: QpiError) -> str | None:
    """What the status line says, where HTTP's own words are not enough: some clients show nothing else."""
    return GONE if error.code == "gone" else None


Refuse = Callable[[QpiError, int, Mapping[str, str]], bytes]
"""A refusal as a surface words it, from the error, its HTTP status and the request's headers."""


def body_of(error: QpiError, _status: int, _headers: Mapping[str, str]) -> bytes:
    """The lab's own `Refuse`: ``{"error": {kind, code, message, data}}``."""
    return msgspec.json.encode(ErrorBody(error=msgspec.convert(error.to_dict(), JobError)))


def from_exception(error: BaseException) -> QpiError:
    """Any exception as an error of ours; what nobody foresaw becomes `Faulted` without its details."""
    if isinstance(error, QpiError):
        return error
    if isinstance(error, HTTPError):
        return _from_http(error)
    return Faulted("Internal error; see the server log.", code="internal_error")


def _from_http(error: HTTPError) -> QpiError:
    kind = _KIND_OF_STATUS.get(error.status_code, Rejected if error.status_code < 500 else Faulted)
    message: Any = error.log_message or error.reason
    if message and error.args:
        message = message % error.args
    return kind(message or None)

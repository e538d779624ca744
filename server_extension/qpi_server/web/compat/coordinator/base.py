"""What the coordinator's routes share: their table, the shape of a refusal, and how bodies and queries are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.rest import Answer, Request
from qpi_jupyter.wire.validation import Timed
from qpi_server.host.logs import REQUEST_ID
from qpi_server.web.table import Table

PREFIX = "/qpi/coordinator/"
API = "api/v1/"
SERVICE = "qpi-jupyter"
"""What the surface calls the lab, where its clients ask for the name of a service."""
Code = Literal[
    "validation_error", "unauthorized", "forbidden", "not_found", "conflict", "resource_exhausted", "rate_limited",
    "service_unavailable", "internal_error",
]  # fmt: skip
CODES: dict[int, Code] = {
    401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict", 410: "not_found",
    413: "resource_exhausted", 429: "rate_limited", 503: "service_unavailable", 507: "resource_exhausted",
}  # fmt: skip
"""By status; any other is the sender's error below 500, and the lab's from there."""


class Detail(Answer):
    """What is wrong, where: ``code`` is the lab's own word for it, and ``data`` has the line and column of a circuit,
    the capability that is missing, the figures of a budget, as far as there are any."""

    field: str | None
    message: str
    code: str | None
    data: dict[str, Any] = msgspec.field(default_factory=dict)


class CoordinatorRefusal(Answer):
    """Every error of this surface."""

    error: Code
    message: str
    details: list[Detail]
    request_id: str | None = None


class Body(Request):
    """A body of this surface; unknown fields are refused."""


class Query(Timed, kw_only=True, forbid_unknown_fields=True):
    """A query of this surface; unknown names are refused."""


def refusal(error: QpiError, status: int, headers: Mapping[str, str]) -> bytes:
    """An error of the lab in this surface's words."""
    word: Code = CODES.get(status, "validation_error" if status < 500 else "internal_error")
    data = {name: value for name, value in error.data.items() if name != "field"}
    detail = Detail(field=error.data.get("field"), message=error.message, code=error.code, data=data)
    return msgspec.json.encode(
        CoordinatorRefusal(
            error=word, message=error.message, details=[detail], request_id=headers.get(REQUEST_ID)
        )
    )  # fmt: skip


coordinator = Table(PREFIX, error=CoordinatorRefusal, refuse=refusal)

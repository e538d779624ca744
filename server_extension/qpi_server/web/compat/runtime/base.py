"""What the routes of IBM's surface share: their table, IBM's shape of a refusal, and the access token."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct

from qpi_jupyter.core import NotFound, QpiError
from qpi_jupyter.wire.rest import Answer, JobError
from qpi_server.web.table import Table

PREFIX = "/qpi/"
ROOT = "experimental/v1"
"""The word ``experimental`` makes IBM's client take an address as it is."""
CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/lab:lab::"
"""The name of the lab as an instance: of the form that the client wants, with the one region it knows for sure."""
PLAN = "lab"
TOKEN_S = 3600
"""How long an access token says that it lasts; whether it does, its key decides."""
SAMPLER, ESTIMATOR, EXECUTOR = "runtime-sampler", "runtime-estimator", "runtime-executor"
FORMATS = {"sampler": SAMPLER, "estimator": ESTIMATOR, "executor": EXECUTOR}
"""The program format of each program id."""
PROGRAMS = {form: program for program, form in FORMATS.items()}


class Problem(Answer):
    """One reason of a refusal."""

    code: int
    message: str
    solution: str = ""
    more_info: str = ""


class RuntimeRefusal(Answer):
    """Every error of this surface: in the form that current clients read, and in that of the older ones."""

    errors: list[Problem]
    error: JobError


class Body(Struct, kw_only=True):
    """A body from IBM's client; newer ones may send more."""


def refusal(error: QpiError, status: int, _headers: Mapping[str, str]) -> bytes:
    """An error of ours in IBM's words."""
    told = msgspec.convert(error.to_dict(), JobError)
    return msgspec.json.encode(RuntimeRefusal(errors=[Problem(code=status, message=error.message)], error=told))


runtime = Table(PREFIX, error=RuntimeRefusal, refuse=refusal)


def no_job() -> NotFound:
    """There is none of that id, or it is somebody else's: both sound alike."""
    return NotFound("Job not found")


def stamp(at: datetime | None) -> str | None:
    """A time as IBM writes it."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


# --- the access token: a key in the envelope that IBM's client asks for -----------------------------------------------


def sealed(key: str) -> tuple[str, int]:
    """An access token around an API key, and when it ends (seconds since 1970). The client reads the times in it; the
    key is what counts, so that it can be revoked at any moment."""
    begins = int(time.time())
    ends = begins + TOKEN_S
    claims = {"iss": "qpi", "iat": begins, "exp": ends, "key": key}
    parts = (msgspec.json.encode({"alg": "none", "typ": "JWT"}), msgspec.json.encode(claims), b"-")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts), ends


def opened(authorization: str) -> str | None:
    """The API key of a request's ``Authorization``; None where there is none of ours."""
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() == "apikey":
        return token
    parts = token.split(".")
    if scheme.lower() != "bearer" or len(parts) != 3:
        return None
    try:
        claims: Any = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        key = claims["key"]
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        return None
    # It becomes a header again: nothing that a header cannot hold goes on to a lab elsewhere.
    return key if isinstance(key, str) and key.isascii() and key.isprintable() else None

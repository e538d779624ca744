"""The body of a request: taken in up to its limit, and read as what the route wants."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from msgspec import Struct

from qpi_jupyter.core import Rejected, TooLarge
from qpi_jupyter.wire.rest import MAX_BODY_BYTES, decode

from .table import Route, parse_query

EMPTY_BODIES = (b"", b"{}", b"null")
"""What clients send where there is nothing to send."""
MAX_FIELDS = 100
"""Of a form."""


class BodySink:
    """Holds a small body; one over the limit is read to its end and forgotten."""

    def __init__(self, limit: int = MAX_BODY_BYTES) -> None:
        self._limit = limit
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        self._size += len(chunk)
        if self._size <= self._limit:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def body(self) -> bytes:
        """All of it; `TooLarge` if it was."""
        check_size(self._size, self._limit)
        return b"".join(self._chunks)


def announced(headers: Mapping[str, str]) -> int:
    """How long the body is said to be.

    Raises
    ------
    Rejected
        that is not a length.
    """
    text = headers.get("Content-Length", "0").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise Rejected("The header Content-Length must be a whole number.", code="bad_request")
    return int(text)


def check_size(size: int, limit: int = MAX_BODY_BYTES) -> None:
    """Refuse a body over the limit."""
    if size > limit:
        raise TooLarge(f"The request has {size:,} bytes; the limit is {limit:,}.", code="body_too_large")


def read_body(body: bytes, route: Route) -> Struct | None:
    """The body as the route's struct.

    Raises
    ------
    TooLarge, Rejected
        see `decode`; or the route takes none.
    """
    if route.body is not None and route.form:
        return parse_query(_fields(body), route.body, strict=True, whole="The form")
    if route.body is not None:
        return decode(body, route.body)
    if body.strip() not in EMPTY_BODIES:
        raise Rejected(f"{route.method} {route.path} takes no body.", code="bad_request")
    return None


def _fields(body: bytes) -> dict[str, list[bytes]]:
    """What a form has, by its names."""
    try:
        found = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:  # of which UnicodeDecodeError is one
        raise Rejected("The form cannot be read.", code="bad_request") from error
    return {name: [value.encode() for value in values] for name, values in found.items()}

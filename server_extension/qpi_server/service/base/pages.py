"""Lists that are read page by page."""

from __future__ import annotations

from qpi_jupyter.core import Rejected


def cursor(after: str | None) -> int | None:
    """The number that a page's ``next`` named."""
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise Rejected(f"{after!r} is not a cursor of this list.", code="bad_cursor", field="after")
    return int(after)

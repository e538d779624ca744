"""What the native surface's routes share: their table, and how a query string is read."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from qpi_jupyter.wire.rest import Label
from qpi_jupyter.wire.validation import Timed
from qpi_server.web.table import Table

v1 = Table("/qpi/v1/")
public = Table("/qpi/")
"""Addresses without a version: for monitors."""

Text = Label
MAX_WAIT_S = 60.0
Wait = Annotated[float, Meta(ge=0, le=MAX_WAIT_S)]
Cursor = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Limit = Annotated[int, Meta(ge=1, le=2000)]


class Query(Timed, kw_only=True, forbid_unknown_fields=True):
    """A query string; unknown names are refused."""


class PageQuery(Query):
    """A page of a list, after a cursor that the page before it named."""

    limit: Limit = 100
    after: Text | None = None

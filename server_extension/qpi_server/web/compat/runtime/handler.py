"""The handler of IBM's surface: its credentials, and what it overlooks."""

from __future__ import annotations

from functools import cache

import msgspec
from msgspec import Struct

from qpi_jupyter.core import Permission
from qpi_jupyter.wire.rest import decode
from qpi_server.web.handler import RestHandler
from qpi_server.web.table import NoQuery, Route, parse_query

from .base import opened

_HEADER = "Authorization"


class RuntimeHandler(RestHandler):
    """Answers IBM's client: ``Authorization`` has the access token of the sign-in, or ``apikey`` and the key itself."""

    async def sign_in(self, permission: Permission) -> None:
        """Take the key out of its envelope; from here on, a lab elsewhere included, it is any API token."""
        if (key := opened(str(self.request.headers.get(_HEADER, "")))) is not None:
            self.request.headers[_HEADER] = f"Bearer {key}"
        await super().sign_in(permission)

    def read_query(self, route: Route) -> Struct | None:
        """The query; names that this lab knows nothing of are overlooked, as IBM's service does."""
        kind = route.query or NoQuery
        known = _names(kind)
        sent = {name: values for name, values in self.request.query_arguments.items() if name in known}
        found = parse_query(sent, kind)
        return found if route.query is not None else None

    def read_body(self, body: bytes, route: Route) -> Struct | None:
        """The body, if the route takes one."""
        if route.body is None:
            return None
        return super().read_body(body, route) if route.form else decode(body, route.body)


@cache
def _names(kind: type[Struct]) -> frozenset[str]:
    return frozenset(field.encode_name for field in msgspec.structs.fields(kind))

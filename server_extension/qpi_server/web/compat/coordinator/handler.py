"""The handlers of the coordinator's surface: its refusals."""

from __future__ import annotations

from qpi_jupyter.core import NotFound, QpiError
from qpi_server.host.logs import REQUEST_ID
from qpi_server.web.handler import RestHandler
from qpi_server.web.signed import Signed

from .base import refusal


class CoordinatorHandler(RestHandler):
    """Answers the coordinator's clients."""

    def error_body(self, error: QpiError, status: int) -> bytes:
        """The coordinator's shape."""
        return refusal(error, status, self.request.headers.get(REQUEST_ID))


class UnknownCoordinatorHandler(Signed):
    """Every address of the surface that no route has."""

    async def prepare(self) -> None:  # type: ignore[override]
        """Refuse."""
        raise NotFound(f"There is nothing at {self.request.path}: docs/reference/coordinator.md lists what there is.")

    def error_body(self, error: QpiError, status: int) -> bytes:
        """The coordinator's shape."""
        return refusal(error, status, self.request.headers.get(REQUEST_ID))

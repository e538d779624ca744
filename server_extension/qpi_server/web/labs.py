"""Which lab this Jupyter server shows: ``<base_url>qpi/labs``, for the person whose server it is."""

from __future__ import annotations

from typing import Any

from qpi_jupyter.core import Forbidden, NotFound, Role, existing
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.labs import LabChoice, LabConnections, LabIn
from qpi_server.host.connections import LabSwitch

from .bodies import BodySink
from .handler import RestHandler
from .table import Call, Table

labs = Table("/qpi/")


def _switch(call: Call) -> LabSwitch:
    return existing(call.site.labs(), NotFound("This server shows its own lab alone.", code="no_labs"))


@labs.route("GET", "labs", P.LABS_CHOOSE, {200: LabConnections})
async def get_labs(call: Call) -> LabConnections:
    """The labs that one is connected to, and the one that is shown."""
    return _switch(call).state()


@labs.route("POST", "labs", P.LABS_CHOOSE, {200: LabConnections}, body=LabIn)
async def connect_lab(call: Call, wanted: LabIn) -> LabConnections:
    """Connect to a lab elsewhere."""
    return await _switch(call).connect(wanted)


@labs.route("PUT", "labs/current", P.LABS_CHOOSE, {200: LabConnections}, body=LabChoice)
async def choose_lab(call: Call, wanted: LabChoice) -> LabConnections:
    """Show another of them, or this server's own."""
    return await _switch(call).choose(wanted.name)


@labs.route("DELETE", "labs/waiting", P.LABS_CHOOSE, {200: LabConnections})
async def cancel_lab(call: Call) -> LabConnections:
    """Wait for the code no longer."""
    return await _switch(call).cancel()


@labs.route("DELETE", "labs/{name}", P.LABS_CHOOSE, {200: LabConnections})
async def disconnect_lab(call: Call) -> LabConnections:
    """Disconnect from one."""
    return await _switch(call).disconnect(call.path["name"])


class LabsHandler(RestHandler):
    """Answers by itself, wherever the lab is; Jupyter's own sign-in says whose server this is."""

    async def _find_target(self) -> None:
        _require_owner(self)
        lab: Any = None  # no route here asks one
        self._call = Call(
            lab=lab, site=self.site, principal=None, path=self.path_kwargs, headers=self.request.headers,
            address=self.request.remote_ip or "",
        )  # fmt: skip
        self._call.query = self.read_query(self._route)
        self._sink = BodySink()


def _require_owner(handler: RestHandler) -> None:
    """Let pass the person whose server this is; no token of a lab says that.

    Raises
    ------
    Forbidden
        it is somebody else's.
    """
    visitor = handler.visitor
    if visitor is None or Role.ADMIN not in visitor.principal.roles:
        raise Forbidden("Only the person whose Jupyter server this is chooses its lab.", code="not_your_server")

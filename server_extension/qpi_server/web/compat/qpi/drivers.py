"""Drivers: registered here as in QPI; they then dial in as ours do."""

from __future__ import annotations

from typing import Any

from msgspec import field

from qpi_jupyter._version import __version__
from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.wire.rest import DriverIn
from qpi_server.web.table import Call, Reply

from .base import Body, Toggle, api, request

MONITORS = frozenset({"bluefors_gen1"})
"""Kinds of QPI's drivers that only report."""


class NewDriver(Body):
    """``POST op/drivers/create``."""

    name: str
    qpu: str
    kind: str = ""
    language: str = "python"
    events: list[str] = field(default_factory=list)
    enabled: bool | None = None


@api.route("POST", "op/drivers/create", P.DRIVERS_MANAGE, {201: "application/json"}, body=NewDriver)
async def qpi_create_driver(call: Call) -> Reply:
    """Register a driver of a QPU; only this answer shows its token. Its snippets start the lab's own agent."""
    wanted: NewDriver = call.body
    if wanted.language not in ("python", ""):
        raise Rejected("The lab's drivers are written in Python.", code="bad_language", field="language")
    driver = request(DriverIn, name=wanted.name, qpu=wanted.qpu, monitor=wanted.kind in MONITORS)
    address = call.site.address()
    made = await call.lab.people.register_driver(
        call.person, driver, address=address, ca_fingerprint=call.site.ca_fingerprint()
    )
    if wanted.enabled is False:
        await call.lab.drivers.switch(call.person, made.id, enabled=False)
    answer: dict[str, Any] = {
        "id": made.id,
        "name": made.name,
        "qpu": made.qpu,
        "kind": wanted.kind,
        "language": "python",
        "events": wanted.events,
        "status": "offline",
        "enabled": wanted.enabled is not False,
        "token": made.token,
        "ca_fingerprint": made.ca_fingerprint or "",
        "qpi_addr": address,
        "driver_version": __version__,
        "snippets": {"install": "pip install qpi-jupyter", "manual_cli": made.command},
    }
    return Reply(body=answer, status=201)


@api.route("POST", "op/drivers/toggle", P.DRIVERS_MANAGE, {200: "application/json"}, body=Toggle)
async def qpi_toggle_driver(call: Call) -> Reply:
    """Let a driver in, or send it away; the id is the driver's or its name."""
    wanted: Toggle = call.body
    driver = await call.lab.drivers.switch(call.person, wanted.id, enabled=wanted.enabled)
    status = "online" if driver.online else "offline"
    return Reply(body={"id": driver.id, "name": driver.name, "enabled": driver.enabled, "status": status})


@api.route("POST", "op/drivers/connect", P.HEALTH, {}, refuses=(410,))
async def qpi_connect_driver(call: Call) -> Reply:
    """The way in of QPI's own drivers, which this lab does not have."""
    raise Rejected(
        "This lab has no NNG ports: its drivers dial in over a WebSocket. Start one with the command that its "
        "registration showed (qpi-agent start --qpi-addr ... --name ... --token ...).",
        code="gone",
    )

"""Drivers: registered here as in QPI; they then dial in as ours do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import field

from qpi_jupyter._version import __version__
from qpi_jupyter.core import Permission as P
from qpi_jupyter.core import Rejected, existing
from qpi_jupyter.wire.rest import DriverIn
from qpi_server.web.table import JSON, Call, Reply

from .base import Body, Toggle, api, request


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What a kind of QPI's drivers is here: the extra that installs it, and whether it only sends readings."""

    extra: str = ""
    monitor: bool = False


CUSTOM = "custom"
KINDS: Mapping[str, Kind] = {
    "mock": Kind(),
    "qiskit_aer": Kind(extra="aer"),
    "quantify": Kind(extra="quantify"),
    "qblox": Kind(extra="qblox"),
    "presto": Kind(),
    "bluefors_gen1": Kind(monitor=True),
    CUSTOM: Kind(),
}
"""QPI's kinds of drivers. The executor of a driver has its kind's name; whose class is one's own is started by that."""
_READINGS, _JOBS = frozenset({"CryostatReading"}), frozenset({"JobDispatch", "JobResult"})


class NewDriver(Body):
    """``POST op/drivers/create``."""

    name: str
    qpu: str
    kind: str
    language: str = "python"
    events: list[str] = field(default_factory=list)
    enabled: bool | None = None


@api.route("POST", "op/drivers/create", P.DRIVERS_MANAGE, {201: JSON}, body=NewDriver)
async def qpi_create_driver(call: Call, wanted: NewDriver) -> Reply:
    """Register a driver of a QPU; only this answer shows its token. Its snippets start the lab's own agent."""
    if wanted.language not in ("python", ""):
        raise Rejected("The lab's drivers are written in Python.", code="bad_language", field="language")
    kind = _kind(wanted)
    executor = "" if wanted.kind == CUSTOM else wanted.kind
    driver = request(DriverIn, name=wanted.name, qpu=wanted.qpu, monitor=kind.monitor, executor=executor)
    address = call.site.public_address()
    made = await call.lab.registration.register(
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
        "snippets": {
            "install": f"pip install 'qpi-jupyter{kind.extra and f'[{kind.extra}]'}'",
            "manual_cli": made.command,
        },
    }
    return Reply(body=answer, status=201)


def _kind(wanted: NewDriver) -> Kind:
    """What the driver is to be.

    Raises
    ------
    Rejected
        nobody knows such a kind, or it does not tell of those events.
    """
    missing = f"There are no drivers of the kind {wanted.kind!r}; the kinds are {', '.join(KINDS)}."
    kind = existing(KINDS.get(wanted.kind), Rejected(missing, code="bad_kind", field="kind"))
    events = frozenset(wanted.events)
    if wanted.kind == CUSTOM:
        kind = Kind(monitor=bool(events) and events <= _READINGS)
        known = _READINGS | _JOBS
    else:
        known = _READINGS if kind.monitor else _JOBS
    if not events <= known:
        raise Rejected(
            f"A driver of the kind {wanted.kind} has no events {', '.join(sorted(events - known))}; it has "
            f"{', '.join(sorted(known))}.",
            code="bad_events", field="events",
        )  # fmt: skip
    return kind


@api.route("POST", "op/drivers/toggle", P.DRIVERS_MANAGE, {200: JSON}, body=Toggle)
async def qpi_toggle_driver(call: Call, wanted: Toggle) -> Reply:
    """Let a driver in, or send it away; the id is the driver's or its name."""
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

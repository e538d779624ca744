"""Pages of who is signed in: the home page, the code of a program that wants to connect, and the REST API."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from qpi_jupyter.core import BookingStatus, QpiError, allows
from qpi_jupyter.core import Permission as P
from qpi_server.host.hub import is_service
from qpi_server.service.people import shown
from qpi_server.web.table import Call, Reply

from .base import FOLDER, HTML, Form, Line, page, pages

SHOWN = 10
"""So many jobs and bookings."""


@pages.route("GET", "", P.QPUS_READ, {200: HTML})
async def home(call: Call) -> Reply:
    """The QPUs' state, one's jobs and bookings, and how to connect."""
    lab, person = call.lab, call.person
    qpus = (await lab.qpus.list(person)).qpus
    jobs = (await lab.jobs.list(person, limit=SHOWN)).jobs if allows(person, P.JOBS_READ) else []
    bookings = []
    if allows(person, P.BOOKINGS_READ):
        found = await lab.bookings.list(
            person, start=lab.context.now(), mine=True, status=BookingStatus.BOOKED, limit=SHOWN
        )
        bookings = found.bookings
    return page(
        call, "home.html", title="QPI lab", person=await lab.users.get(person, person.name), qpus=qpus, jobs=jobs,
        bookings=bookings, address=call.here, fingerprint=call.site.ca_fingerprint(),
        own_ca=urlsplit(call.here).scheme == "https" and call.site.ca_fingerprint() is not None,
        session=person.token is not None, hub=is_service(),
    )  # fmt: skip


class DeviceQuery(Struct, kw_only=True, forbid_unknown_fields=True):
    """``GET device``: the code, where the program's link has it."""

    user_code: Line = ""


class DeviceForm(Form):
    user_code: Line
    answer: Literal["allow", "deny"]


@pages.route("GET", "device", P.TOKENS_OWN, {200: HTML}, query=DeviceQuery)
async def device_page(call: Call, query: DeviceQuery) -> Reply:
    """Which program asks, and whether it may."""
    if not query.user_code:
        return _device_page(call)
    try:
        device = await call.lab.devices.look(call.person, query.user_code, address=call.address)
    except QpiError as error:
        return _device_page(call, error=error)
    return _device_page(call, device=device, code=shown(device.user_code))


@pages.route("POST", "device", P.TOKENS_OWN, {200: HTML}, body=DeviceForm, form=True)
async def decide_device(call: Call, form: DeviceForm) -> Reply:
    """Let it in, or turn it away."""
    allowed = form.answer == "allow"
    try:
        device = await call.lab.devices.decide(call.person, form.user_code, allowed=allowed, address=call.address)
    except QpiError as error:
        return _device_page(call, error=error)
    return _device_page(call, done=f"{device.name} is connected." if allowed else f"{device.name} was refused.")


def _device_page(
    call: Call, *, device: object = None, code: str = "", done: str = "", error: QpiError | None = None
) -> Reply:  # fmt: skip
    return page(call, "device.html", error=error, title="Connect a program", device=device, code=code, done=done,
                person=call.person.name)  # fmt: skip


@pages.route("GET", "docs", P.SPEC_READ, {200: HTML})
async def docs(call: Call) -> Reply:
    """What there is, drawn by a script out of the lab's own description."""
    return page(call, "docs.html", title="REST API - QPI lab")


@pages.route("GET", "docs.js", P.SPEC_READ, {200: "text/javascript"})
async def docs_script(call: Call) -> bytes:
    """What draws it."""
    return (FOLDER / "static" / "docs.js").read_bytes()

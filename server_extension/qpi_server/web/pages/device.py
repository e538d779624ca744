"""The page on which a person confirms the code of a program."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from qpi_jupyter.core import Permission as P
from qpi_jupyter.core import QpiError
from qpi_server.service.people import shown
from qpi_server.web.table import Call, Reply

from .base import HTML, Form, Line, page, pages


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
        return _page(call)
    try:
        device = await call.lab.devices.look(call.person, query.user_code, address=call.address)
    except QpiError as error:
        return _page(call, error=error)
    return _page(call, device=device, code=shown(device.user_code))


@pages.route("POST", "device", P.TOKENS_OWN, {200: HTML}, body=DeviceForm, form=True)
async def decide_device(call: Call, form: DeviceForm) -> Reply:
    """Let it in, or turn it away."""
    allowed = form.answer == "allow"
    try:
        device = await call.lab.devices.decide(call.person, form.user_code, allowed=allowed, address=call.address)
    except QpiError as error:
        return _page(call, error=error)
    return _page(call, done=f"{device.name} is connected." if allowed else f"{device.name} was refused.")


def _page(
    call: Call, *, device: object = None, code: str = "", done: str = "", error: QpiError | None = None
) -> Reply:  # fmt: skip
    return page(call, "device.html", error=error, title="Connect a program", device=device, code=code, done=done,
                person=call.person.name)  # fmt: skip

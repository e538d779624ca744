"""The device flow (RFC 8628): a program gets a code, a person confirms it in a browser, the program gets a token."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from qpi_jupyter.core import Rejected, Unauthorized, Unavailable

from .rest import Answer

if TYPE_CHECKING:
    import httpx

AUTHORIZE, TOKEN = "oauth/device_authorization", "oauth/token"
"""Below ``qpi/``."""
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
CLIENT = "qpi-jupyter"
SLOWER_S = 5.0
MAX_INTERVAL_S, LONGEST_S = 60, 3600
"""Whatever a lab says: how seldom it is asked, and for how long."""

K = TypeVar("K")


class DeviceIn(Struct, kw_only=True):
    """``POST device_authorization``, a form; as OAuth has it, what else is sent is ignored."""

    client_id: Annotated[str, Meta(min_length=1, max_length=100)]
    device_name: Annotated[str, Meta(max_length=80)] = ""
    """What the person is asked about: ours."""


class DeviceAnswer(Answer):
    """What the program shows, and asks with."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class TokenAsked(Struct, kw_only=True):
    """``POST token``, a form."""

    grant_type: Annotated[str, Meta(max_length=100)]
    device_code: Annotated[str, Meta(max_length=100)] = ""
    client_id: Annotated[str, Meta(max_length=100)] = ""


class TokenAnswer(Answer):
    access_token: str
    token_type: str = "Bearer"
    expires_in: int | None = None


class OAuthRefusal(Answer):
    """Every error of these two addresses (RFC 6749, 5.2)."""

    error: str
    error_description: str = ""


async def begin(client: httpx.AsyncClient, device_name: str) -> DeviceAnswer:
    """A code for this program; ``client`` asks below ``<lab>/qpi/``.

    Raises
    ------
    QpiError
        the lab does not answer, or gives none.
    """
    import httpx

    try:
        answer = await client.post(AUTHORIZE, data={"client_id": CLIENT, "device_name": device_name[:80]})
    except httpx.TransportError as error:
        raise Unavailable(f"The lab at {client.base_url} does not answer.", code="no_answer") from error
    if answer.status_code == 404:
        raise Rejected("This lab cannot confirm sign-ins in a browser: use a token.", code="no_device_flow")
    if not answer.is_success:
        raise Unavailable(_read(answer, OAuthRefusal).error_description or "The lab refused.", code="no_device_flow")
    return _read(answer, DeviceAnswer)


async def granted(client: httpx.AsyncClient, started: DeviceAnswer) -> TokenAnswer:
    """The token, once somebody has confirmed the code.

    Raises
    ------
    Unauthorized
        they refused, or nobody did in time.
    """
    import httpx

    loop = asyncio.get_running_loop()
    end = loop.time() + min(started.expires_in, LONGEST_S)
    interval = float(min(max(started.interval, 1), MAX_INTERVAL_S))
    form = {"grant_type": GRANT, "device_code": started.device_code, "client_id": CLIENT}
    while loop.time() < end:
        await asyncio.sleep(interval)
        try:
            answer = await client.post(TOKEN, data=form)
        except httpx.TransportError:
            continue
        if answer.is_success:
            return _read(answer, TokenAnswer)
        if answer.status_code >= 500 or answer.status_code == 429:
            continue
        refusal = _read(answer, OAuthRefusal)
        if refusal.error == "slow_down":
            interval += SLOWER_S
        elif refusal.error != "authorization_pending":
            raise Unauthorized(refusal.error_description or refusal.error, code="not_confirmed")
    raise Unauthorized("Nobody confirmed the code in time: try again.", code="not_confirmed")


def _read(answer: Any, kind: type[K]) -> K:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.MsgspecError as error:
        raise Unavailable(f"The lab answered {answer.status_code} with something else.", code="not_a_lab") from error

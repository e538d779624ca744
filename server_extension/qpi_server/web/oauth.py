"""The device flow's two addresses (RFC 8628), ``<base_url>qpi/oauth/``, with OAuth's forms and refusals."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from qpi_jupyter.core import Permission as P
from qpi_jupyter.core import QpiError
from qpi_jupyter.wire.devices import GRANT, DeviceAnswer, DeviceIn, OAuthRefusal, TokenAnswer, TokenAsked
from qpi_server.service.people import CODE_S, INTERVAL_S, FlowError, shown

from .table import Call, Reply, Table


def refusal(error: QpiError, _status: int, _headers: Mapping[str, str]) -> bytes:
    """RFC 6749, 5.2."""
    word = error.code if isinstance(error, FlowError) else "invalid_request"
    return msgspec.json.encode(OAuthRefusal(error=word, error_description=error.message))


oauth = Table("/qpi/oauth/", error=OAuthRefusal, refuse=refusal)


@oauth.route("POST", "device_authorization", P.SIGN_IN, {200: DeviceAnswer}, body=DeviceIn, form=True)
async def begin_device(call: Call, wanted: DeviceIn) -> Reply:
    """A code for a program, which a person confirms in a browser."""
    name = wanted.device_name.strip() or wanted.client_id
    device = await call.lab.devices.begin(name, address=call.address)
    page, code = f"{call.here}qpi/device", shown(device.user_code)
    answer = DeviceAnswer(
        device_code=device.device_code, user_code=code, verification_uri=page,
        verification_uri_complete=f"{page}?user_code={code}", expires_in=int(CODE_S), interval=int(INTERVAL_S),
    )  # fmt: skip
    return Reply(body=answer, headers={"Cache-Control": "no-store"})


@oauth.route("POST", "token", P.SIGN_IN, {200: TokenAnswer}, body=TokenAsked, form=True)
async def redeem_device(call: Call, wanted: TokenAsked) -> Reply:
    """The token for a code that was confirmed."""
    if wanted.grant_type != GRANT:
        raise FlowError(f"This lab grants {GRANT} alone.", code="unsupported_grant_type")
    made = await call.lab.devices.redeem(wanted.device_code)
    left = None if made.expires_at is None else int((made.expires_at - call.lab.context.now()).total_seconds())
    return Reply(body=TokenAnswer(access_token=made.token, expires_in=left), headers={"Cache-Control": "no-store"})

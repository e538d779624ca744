"""What IBM's client asks before it comes to the runtime: a sign-in, the instances there are, and their plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from qpi_jupyter.core import NotFound, QpiError, Rejected, Unauthorized
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.rest import Answer
from qpi_server.web.identity import is_lab_token
from qpi_server.web.table import Call, Reply, Table

from .base import CRN, PLAN, PREFIX, TOKEN_S, Body, runtime, sealed


class IamRefusal(Answer):
    """An error of the sign-in."""

    errorCode: str
    errorMessage: str


def iam_refusal(error: QpiError, _status: int, _headers: Mapping[str, str]) -> bytes:
    """The shape of IBM's sign-in service."""
    return msgspec.json.encode(IamRefusal(errorCode=error.code, errorMessage=error.message))


iam = Table(PREFIX, error=IamRefusal, refuse=iam_refusal)


class ApiKeyIn(Body):
    """``POST iam/identity/token``: a form."""

    apikey: Annotated[str, Meta(max_length=1000)] = ""
    grant_type: str = ""
    response_type: str = ""
    refresh_token: str = ""


class AccessToken(Answer):
    """What IBM's sign-in answers."""

    access_token: str
    expiration: int
    expires_in: int = TOKEN_S
    token_type: str = "Bearer"
    refresh_token: str = "not_supported"
    scope: str = "ibm openid"


class Instance(Answer):
    """The lab as an instance of IBM's catalogue."""

    crn: str
    name: str
    service_plan_unique_id: str
    tags: list[str]
    doc: dict[str, Any]


class Instances(Answer):
    """All instances there are."""

    items: list[Instance]
    limit: int = 100


class Plan(Answer):
    """The plan of an instance."""

    id: str
    overview_ui: dict[str, Any]
    metadata: dict[str, Any]


class SearchIn(Body):
    """``POST search/v3/resources/search``."""

    query: str


@iam.route("POST", "iam/identity/token", P.SIGN_IN, {200: AccessToken}, body=ApiKeyIn, form=True)
async def runtime_sign_in(call: Call, wanted: ApiKeyIn) -> Reply:
    """An access token for an API token of the lab. Keys of IBM's own are refused, and neither kept nor logged."""
    if not is_lab_token(wanted.apikey):
        raise Rejected(
            "This is a lab, not IBM Quantum: sign in with one of the lab's API tokens, which begin with qpi_ (make one "
            "under Account, or with lab.tokens.create). If you have just sent a key of IBM Cloud here, it was not "
            "stored; delete it at IBM and make a new one all the same.",
            code="not_a_lab_token",
        )  # fmt: skip
    try:
        await call.lab.authenticator.authenticate(wanted.apikey)
    except Unauthorized as error:
        raise Rejected(error.message, code=error.code) from error
    token, ends = sealed(wanted.apikey)
    return Reply(body=AccessToken(access_token=token, expiration=ends), headers={"Cache-Control": "no-store"})


@runtime.route("POST", "search/v3/resources/search", P.QPUS_READ, {200: Instances}, body=SearchIn)
async def runtime_instances(call: Call, wanted: SearchIn) -> Instances:
    """The one instance that there is: this lab."""
    lab = Instance(crn=CRN, name="lab", service_plan_unique_id=PLAN, tags=["lab"], doc={"extensions": {"lab": 1}})
    return Instances(items=[lab])


@runtime.route("GET", "catalog/{plan}", P.QPUS_READ, {200: Plan})
async def runtime_plan(call: Call) -> Plan:
    """What its plan is called."""
    if call.path["plan"] != PLAN:
        raise NotFound("There is no such plan.")
    title = {"en": {"display_name": "Lab", "description": "QPI lab"}}
    return Plan(id=call.path["plan"], overview_ui=title, metadata={"pricing": {"type": "free"}})

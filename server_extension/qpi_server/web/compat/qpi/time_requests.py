"""Requests for QPU time: the collection ``qpu_time_requests``."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from qpi_jupyter.core import Forbidden
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.accounts import TimeRequestAnswer, TimeRequestIn, TimeRequestModel
from qpi_server.web.table import JSON, Call, Route

from .base import Body, Record, api, record, rendered, stamp
from .paging import Listing, RecordPage, View, every, paged, picked

REQUEST_FIELDS = frozenset(
    {"id", "user", "seconds", "status", "requested_reason", "rejection_reason", "handled_by", "created", "updated"}
)
_Reason = Annotated[str, Meta(max_length=2000)]


class RequestRecordIn(Body):
    """``POST collections/qpu_time_requests/records``; ``user`` and ``status`` can only be what they are anyhow."""

    seconds: Annotated[float, Meta(gt=0, le=1e9)]
    requested_reason: _Reason | None = None
    user: str | UnsetType = UNSET
    status: str | UnsetType = UNSET


class RequestPatch(Body):
    """``PATCH collections/qpu_time_requests/records/{id}``: a manager's answer.

    QPI's Go client sends its whole record, with 0 for the seconds that it does not know.
    """

    status: Literal["approved", "rejected"]
    rejection_reason: _Reason | None = None
    requested_reason: str | None = None
    seconds: Annotated[float, Meta(ge=0, le=1e9)] = 0.0
    user: str | UnsetType = UNSET
    handled_by: str | UnsetType = UNSET


@api.route("POST", "collections/qpu_time_requests/records", P.TIME_REQUEST, {200: JSON}, body=RequestRecordIn)
async def qpi_create_time_request(call: Call, wanted: RequestRecordIn) -> Record:
    """Ask for QPU time, for oneself."""
    if wanted.user not in (UNSET, "", call.person.name):
        raise Forbidden("Everybody asks for their own time.", code="forged", field="user")
    if wanted.status not in (UNSET, "", "pending"):
        raise Forbidden("A request is pending until a manager answers it.", code="forged", field="status")
    request = TimeRequestIn(seconds=wanted.seconds, reason=wanted.requested_reason or "")
    return request_record(await call.lab.time_requests.create(call.person, request))


@api.route("PATCH", "collections/qpu_time_requests/records/{id}", P.TIME_GRANT, {200: JSON}, body=RequestPatch)
async def qpi_answer_time_request(call: Call, wanted: RequestPatch) -> Record:
    """Approve, which grants the time (``seconds`` of it, if they say so), or reject; once."""
    asked = await call.lab.time_requests.get(call.person, call.path["id"])
    for field, sent, there in (
        ("user", wanted.user, asked.person), ("handled_by", wanted.handled_by, call.person.name),
        ("requested_reason", wanted.requested_reason, asked.reason),
    ):  # fmt: skip
        if sent not in (UNSET, None, "", there):
            raise Forbidden(f"A manager's answer does not change {field}.", code="forged", field=field)
    answer = TimeRequestAnswer(status=wanted.status, reason=wanted.rejection_reason or "")
    if wanted.seconds not in (0, asked.seconds):
        answer.seconds = wanted.seconds
    return request_record(await call.lab.time_requests.answer(call.person, call.path["id"], answer))


def request_record(request: TimeRequestModel) -> Record:
    """A request as QPI has it."""
    return record(
        "qpu_time_requests",
        request.id,
        {
            "user": request.person,
            "seconds": math.ceil(request.seconds),
            "status": request.status,
            "requested_reason": request.reason,
            "rejection_reason": request.answer if request.status == "rejected" else "",
            "handled_by": request.handled_by or "",
            "created": stamp(request.created_at),
            "updated": stamp(request.handled_at or request.created_at),
        },
    )


async def _records(call: Call) -> list[Record]:
    """Newest first; what was withdrawn is gone, as in QPI."""
    found: list[TimeRequestModel] = await every("requests", call.lab.time_requests.list, call.person)
    return [request_record(request) for request in found if request.status != "withdrawn"]


api.serve(
    Route("qpi_list_time_requests", "GET", "collections/qpu_time_requests/records", P.TIME_READ, {200: RecordPage},
          "A page of one's own requests; of everybody's for managers.",
          lambda c: paged(c, _records(c), REQUEST_FIELDS), query=Listing),
    Route("qpi_get_time_request", "GET", "collections/qpu_time_requests/records/{id}", P.TIME_READ, {200: JSON},
          "One request.",
          picked(lambda c: rendered(request_record, c.lab.time_requests.get(c.person, c.path["id"]))), query=View),
    Route("qpi_withdraw_time_request", "DELETE", "collections/qpu_time_requests/records/{id}", P.TIME_REQUEST,
          {204: ""}, "Take back a request that nobody has answered.",
          lambda c: c.lab.time_requests.withdraw(c.person, c.path["id"])),
)  # fmt: skip

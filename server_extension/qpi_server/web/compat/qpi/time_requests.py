"""Requests for QPU time: the collection ``qpu_time_requests``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.core.errors import Forbidden
from qpi_jupyter.wire.accounts import TimeRequestAnswer, TimeRequestIn, TimeRequestModel
from qpi_server.web.table import Call, Reply

from .base import Body, Record, api, record, stamp
from .paging import MAX_PER_PAGE, MAX_ROWS, Listing, RecordPage, page_of, pick

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
    """``PATCH collections/qpu_time_requests/records/{id}``: a manager's answer."""

    status: Literal["approved", "rejected"]
    rejection_reason: _Reason | None = None


@api.route("GET", "collections/qpu_time_requests/records", P.TIME_READ, {200: RecordPage}, query=Listing)
async def qpi_list_time_requests(call: Call) -> Reply:
    """A page of one's own requests; of everybody's for managers."""
    return Reply(body=page_of(call.query, await _records(call), REQUEST_FIELDS, datetime.now(UTC)))


@api.route("GET", "collections/qpu_time_requests/records/{id}", P.TIME_READ, {200: "application/json"}, query=Listing)
async def qpi_get_time_request(call: Call) -> Reply:
    """One request."""
    found = request_record(await call.lab.time_requests.get(call.person, call.path["id"]))
    return Reply(body=pick(found, call.query.fields))


@api.route(
    "POST", "collections/qpu_time_requests/records", P.TIME_REQUEST, {200: "application/json"}, body=RequestRecordIn
)
async def qpi_create_time_request(call: Call) -> Reply:
    """Ask for QPU time, for oneself."""
    wanted: RequestRecordIn = call.body
    if wanted.user not in (UNSET, "", call.person.name):
        raise Forbidden("Everybody asks for their own time.", code="forged", field="user")
    if wanted.status not in (UNSET, "", "pending"):
        raise Forbidden("A request is pending until a manager answers it.", code="forged", field="status")
    request = TimeRequestIn(seconds=wanted.seconds, reason=wanted.requested_reason or "")
    return Reply(body=request_record(await call.lab.time_requests.create(call.person, request)))


@api.route(
    "PATCH", "collections/qpu_time_requests/records/{id}", P.TIME_GRANT, {200: "application/json"}, body=RequestPatch
)
async def qpi_answer_time_request(call: Call) -> Reply:
    """Approve, which grants the time, or reject; once."""
    wanted: RequestPatch = call.body
    answer = TimeRequestAnswer(status=wanted.status, reason=wanted.rejection_reason or "")
    return Reply(body=request_record(await call.lab.time_requests.answer(call.person, call.path["id"], answer)))


@api.route("DELETE", "collections/qpu_time_requests/records/{id}", P.TIME_REQUEST, {204: ""})
async def qpi_withdraw_time_request(call: Call) -> Reply:
    """Take back a request that nobody has answered."""
    await call.lab.time_requests.withdraw(call.person, call.path["id"])
    return Reply(status=204)


def request_record(request: TimeRequestModel) -> Record:
    """A request as QPI has it."""
    return record(
        "qpu_time_requests",
        request.id,
        {
            "user": request.person,
            "seconds": request.seconds,
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
    found: list[Record] = []
    after: str | None = None
    while len(found) < MAX_ROWS:
        page = await call.lab.time_requests.list(call.person, limit=MAX_PER_PAGE, after=after)
        found += [request_record(request) for request in page.requests if request.status != "withdrawn"]
        if page.next is None:
            break
        after = page.next
    return found

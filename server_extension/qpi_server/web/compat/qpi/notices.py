"""Notices: the collection ``notifications``, and dismissing."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from qpi_jupyter.core import NotFound, Principal, allows, existing
from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire.people import NoticeChange, NoticeIn, NoticeModel
from qpi_server.service import Lab
from qpi_server.web.table import JSON, Call, Reply, Route

from .base import Body, Record, api, moment_or_none, record, request, stamp
from .paging import Listing, RecordPage, View, paged, picked

NOTICE_FIELDS = frozenset(
    {"id", "title", "description", "target_users", "dismissed_by", "start_time", "end_time", "created", "updated"}
)
_Title = Annotated[str, Meta(min_length=1, max_length=200)]
_Text = Annotated[str, Meta(max_length=10_000)]


class NoticeRecordIn(Body):
    """``POST collections/notifications/records``; without ``target_users`` it is for everybody."""

    title: _Title
    description: _Text = ""
    target_users: list[str] | None = None
    start_time: str | None = None
    end_time: str | None = None


class NoticePatch(Body):
    """``PATCH collections/notifications/records/{id}``; an empty time takes it away."""

    title: _Title | UnsetType = UNSET
    description: _Text | UnsetType = UNSET
    target_users: list[str] | UnsetType = UNSET
    start_time: str | UnsetType | None = UNSET
    end_time: str | UnsetType | None = UNSET


@api.route("POST", "collections/notifications/records", P.NOTICES_WRITE, {200: JSON}, body=NoticeRecordIn)
async def qpi_create_notice(call: Call, wanted: NoticeRecordIn) -> Reply:
    """Write a notice, for everybody or for some people."""
    new = request(
        NoticeIn,
        title=wanted.title,
        body=wanted.description,
        people=wanted.target_users or [],
        start_at=moment_or_none(wanted.start_time, "start_time"),
        end_at=moment_or_none(wanted.end_time, "end_time"),
    )
    notice = await call.lab.notices.create(call.person, new)
    return Reply(body=notice_record(notice, call.person))


@api.route("PATCH", "collections/notifications/records/{id}", P.NOTICES_WRITE, {200: JSON}, body=NoticePatch)
async def qpi_change_notice(call: Call, wanted: NoticePatch) -> Reply:
    """Change a notice."""
    change = request(
        NoticeChange,
        title=wanted.title,
        body=wanted.description,
        people=wanted.target_users,
        start_at=moment_or_none(wanted.start_time, "start_time"),
        end_at=moment_or_none(wanted.end_time, "end_time"),
    )
    return Reply(body=notice_record(await call.lab.notices.change(call.person, call.path["id"], change), call.person))


@api.route("POST", "notifications/{id}/dismiss", P.PROFILE_EDIT, {200: JSON})
async def qpi_dismiss_notice(call: Call) -> Reply:
    """Do not show a notice to oneself again; others go on seeing it."""
    await call.lab.notices.dismiss(call.person, call.path["id"])
    return Reply(body={"status": "dismissed"})


def notice_record(notice: NoticeModel, person: Principal) -> Record:
    """A notice as QPI has it; who else has dismissed it is nobody's business."""
    return record(
        "notifications",
        notice.id,
        {
            "title": notice.title,
            "description": notice.body,
            "target_users": notice.people,
            "dismissed_by": [person.name] if notice.dismissed else [],
            "start_time": stamp(notice.start_at),
            "end_time": stamp(notice.end_at),
            "created": stamp(notice.created_at),
            "updated": stamp(notice.created_at),
        },
    )


async def the_notice(lab: Lab, person: Principal, notice_id: str) -> Record:
    """One notice that ``person`` may see.

    Raises
    ------
    NotFound
        there is none.
    """
    missing = NotFound(f"There is no notice {notice_id!r}, or it is not for you.", code="unknown_notice")
    return existing(next((one for one in await _records(lab, person) if one["id"] == notice_id), None), missing)


async def _records(lab: Lab, person: Principal) -> list[Record]:
    page = await lab.notices.list(person, all=allows(person, P.NOTICES_WRITE))
    return [notice_record(notice, person) for notice in page.notices]


api.serve(
    Route("qpi_list_notices", "GET", "collections/notifications/records", P.NOTICES_READ, {200: RecordPage},
          "A page of the notices that concern one now; of all of them for managers.",
          lambda c: paged(c, _records(c.lab, c.person), NOTICE_FIELDS), query=Listing),
    Route("qpi_get_notice", "GET", "collections/notifications/records/{id}", P.NOTICES_READ, {200: JSON},
          "One notice.", picked(lambda c: the_notice(c.lab, c.person, c.path["id"])), query=View),
    Route("qpi_delete_notice", "DELETE", "collections/notifications/records/{id}", P.NOTICES_WRITE, {204: ""},
          "Take a notice back.", lambda c: c.lab.notices.delete(c.person, c.path["id"])),
)  # fmt: skip

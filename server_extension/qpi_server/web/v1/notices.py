"""Notices."""

from __future__ import annotations

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import people
from qpi_server.web.table import Call, Reply

from .base import Query, v1


class NoticesQuery(Query):
    """``GET notices``: one's own of now, or all of them."""

    all: bool = False


@v1.route("GET", "notices", P.NOTICES_READ, {200: people.NoticeList}, query=NoticesQuery)
async def list_notices(call: Call) -> Reply:
    """What one has to know now and has not dismissed; with all, every notice, for managers."""
    q: NoticesQuery = call.query
    return Reply(body=await call.lab.notices.list(call.person, all=q.all))


@v1.route("POST", "notices", P.NOTICES_WRITE, {201: people.NoticeModel}, body=people.NoticeIn)
async def create_notice(call: Call) -> Reply:
    """Tell everybody, or people and groups."""
    return Reply(body=await call.lab.notices.create(call.person, call.body), status=201)


@v1.route("PATCH", "notices/{id}", P.NOTICES_WRITE, {200: people.NoticeModel}, body=people.NoticeChange)
async def change_notice(call: Call) -> Reply:
    """Change a notice; who has dismissed it does not see it again."""
    return Reply(body=await call.lab.notices.change(call.person, call.path["id"], call.body))


@v1.route("DELETE", "notices/{id}", P.NOTICES_WRITE, {200: people.NoticeModel})
async def delete_notice(call: Call) -> Reply:
    """Take a notice back."""
    return Reply(body=await call.lab.notices.delete(call.person, call.path["id"]))


@v1.route("POST", "notices/{id}/dismiss", P.PROFILE_EDIT, {200: people.NoticeModel})
async def dismiss_notice(call: Call) -> Reply:
    """Do not show a notice to oneself again."""
    return Reply(body=await call.lab.notices.dismiss(call.person, call.path["id"]))

"""QPU time: accounts, statements, requests."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from qpi_jupyter.core.access import Permission as P
from qpi_jupyter.wire import accounts as wire
from qpi_server.web.table import Call, Reply

from .base import Limit, PageQuery, Query, Text, v1

CSV = "text/csv"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


class StatementQuery(Query):
    """``GET statements``: of an account, a person, a QPU, a month (``2030-01``, UTC)."""

    account: Text | None = None
    person: Text | None = None
    qpu: Text | None = None
    month: Text | None = None
    format: Literal["json", "csv"] = "json"


class TimeRequestsQuery(Query):
    """``GET time-requests``: newest first."""

    status: wire.RequestStatus | None = None
    mine: bool = False
    limit: Limit = 100
    after: Text | None = None


@v1.route("GET", "accounts", P.TIME_READ_ANY, {200: wire.AccountList}, query=PageQuery)
async def list_accounts(call: Call) -> Reply:
    """Every account, by name."""
    q: PageQuery = call.query
    return Reply(body=await call.lab.accounts.list(call.person, limit=q.limit, after=q.after))


@v1.route("GET", "accounts/{name}", P.TIME_READ, {200: wire.AccountModel})
async def get_account(call: Call) -> Reply:
    """One account: a person's, or group: and a group's."""
    return Reply(body=await call.lab.accounts.get(call.person, call.path["name"]))


@v1.route("PATCH", "accounts/{name}", P.TIME_GRANT, {200: wire.AccountModel}, body=wire.AccountChange)
async def change_account(call: Call) -> Reply:
    """Limit an account, or do not."""
    return Reply(body=await call.lab.accounts.change(call.person, call.path["name"], call.body))


@v1.route("POST", "accounts/{name}/grants", P.TIME_GRANT, {201: wire.AccountModel}, body=wire.GrantIn)
async def grant_time(call: Call) -> Reply:
    """Grant QPU time, or take it back."""
    return Reply(body=await call.lab.accounts.grant(call.person, call.path["name"], call.body), status=201)


@v1.route("GET", "accounts/{name}/entries", P.TIME_READ, {200: wire.EntryPage}, query=PageQuery)
async def list_entries(call: Call) -> Reply:
    """The lines of an account, newest first."""
    q: PageQuery = call.query
    page = await call.lab.accounts.entries(call.person, call.path["name"], limit=q.limit, after=q.after)
    return Reply(body=page)


@v1.route("GET", "statements", P.TIME_READ, {200: (wire.Statement, CSV)}, query=StatementQuery, refuses=(404,))
async def get_statement(call: Call) -> Reply:
    """What was used, by month, account, person and QPU; as JSON or CSV."""
    q: StatementQuery = call.query
    statement = await call.lab.accounts.statement(
        call.person, account=q.account, person=q.person, qpu=q.qpu, month=q.month
    )
    if q.format == "json":
        return Reply(body=statement)
    headers = {"Content-Disposition": f'attachment; filename="qpu-time{f"-{q.month}" if q.month else ""}.csv"'}
    body = as_csv(wire.StatementLine, statement.lines)
    return Reply(body=body, media_type=f"{CSV}; charset=utf-8", headers=headers)


@v1.route("POST", "time-requests", P.TIME_REQUEST, {201: wire.TimeRequestModel}, body=wire.TimeRequestIn)
async def create_time_request(call: Call) -> Reply:
    """Ask for QPU time."""
    return Reply(body=await call.lab.time_requests.create(call.person, call.body), status=201)


@v1.route("GET", "time-requests", P.TIME_READ, {200: wire.TimeRequestList}, query=TimeRequestsQuery)
async def list_time_requests(call: Call) -> Reply:
    """Requests for QPU time, newest first."""
    q: TimeRequestsQuery = call.query
    page = await call.lab.time_requests.list(call.person, status=q.status, mine=q.mine, limit=q.limit, after=q.after)
    return Reply(body=page)


@v1.route("GET", "time-requests/{id}", P.TIME_READ, {200: wire.TimeRequestModel})
async def get_time_request(call: Call) -> Reply:
    """One request for QPU time."""
    return Reply(body=await call.lab.time_requests.get(call.person, call.path["id"]))


@v1.route("POST", "time-requests/{id}/answer", P.TIME_GRANT, {200: wire.TimeRequestModel}, body=wire.TimeRequestAnswer)
async def answer_time_request(call: Call) -> Reply:
    """Approve a request for QPU time, or reject it."""
    return Reply(body=await call.lab.time_requests.answer(call.person, call.path["id"], call.body))


@v1.route("DELETE", "time-requests/{id}", P.TIME_REQUEST, {200: wire.TimeRequestModel})
async def withdraw_time_request(call: Call) -> Reply:
    """Withdraw a request of one's own."""
    return Reply(body=await call.lab.time_requests.withdraw(call.person, call.path["id"]))


def as_csv(kind: type[Struct], rows: Iterable[Struct]) -> bytes:
    """RFC 4180, a header line first. No cell is a formula to a spreadsheet."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(kind.__struct_fields__)
    for row in rows:
        writer.writerow([_cell(value) for value in msgspec.structs.astuple(row)])
    return text.getvalue().encode()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value

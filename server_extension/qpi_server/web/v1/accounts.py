"""QPU time: accounts, statements, requests."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Literal

import msgspec
from msgspec import Struct

from qpi_jupyter.core import Permission as P
from qpi_jupyter.wire import accounts as wire
from qpi_server.web.table import Call, Reply, Route

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


@v1.route("GET", "statements", P.TIME_READ, {200: (wire.Statement, CSV)}, query=StatementQuery, refuses=(404,))
async def get_statement(call: Call, q: StatementQuery) -> Reply:
    """What was used, by month, account, person and QPU; as JSON or CSV."""
    statement = await call.lab.accounts.statement(
        call.person, account=q.account, person=q.person, qpu=q.qpu, month=q.month
    )
    if q.format == "json":
        return Reply(body=statement)
    headers = {"Content-Disposition": f'attachment; filename="qpu-time{f"-{q.month}" if q.month else ""}.csv"'}
    body = as_csv(wire.StatementLine, statement.lines)
    return Reply(body=body, media_type=f"{CSV}; charset=utf-8", headers=headers)


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


v1.serve(
    Route("list_accounts", "GET", "accounts", P.TIME_READ_ANY, {200: wire.AccountList},
          "Every account, by name.",
          lambda c: c.lab.accounts.list(c.person, **c.given), query=PageQuery),
    Route("get_account", "GET", "accounts/{name}", P.TIME_READ, {200: wire.AccountModel},
          "One account: a person's, or group: and a group's.",
          lambda c: c.lab.accounts.get(c.person, c.path["name"])),
    Route("change_account", "PATCH", "accounts/{name}", P.TIME_GRANT, {200: wire.AccountModel},
          "Limit an account, or do not.", lambda c: c.lab.accounts.change(c.person, c.path["name"], c.body),
          body=wire.AccountChange),
    Route("grant_time", "POST", "accounts/{name}/grants", P.TIME_GRANT, {201: wire.AccountModel},
          "Grant QPU time, or take it back.", lambda c: c.lab.accounts.grant(c.person, c.path["name"], c.body),
          body=wire.GrantIn),
    Route("list_entries", "GET", "accounts/{name}/entries", P.TIME_READ, {200: wire.EntryPage},
          "The lines of an account, newest first.",
          lambda c: c.lab.accounts.entries(c.person, c.path["name"], **c.given),
          query=PageQuery),
    Route("create_time_request", "POST", "time-requests", P.TIME_REQUEST, {201: wire.TimeRequestModel},
          "Ask for QPU time.", lambda c: c.lab.time_requests.create(c.person, c.body), body=wire.TimeRequestIn),
    Route("list_time_requests", "GET", "time-requests", P.TIME_READ, {200: wire.TimeRequestList},
          "Requests for QPU time, newest first.",
          lambda c: c.lab.time_requests.list(c.person, **c.given),
          query=TimeRequestsQuery),
    Route("get_time_request", "GET", "time-requests/{id}", P.TIME_READ, {200: wire.TimeRequestModel},
          "One request for QPU time.", lambda c: c.lab.time_requests.get(c.person, c.path["id"])),
    Route("answer_time_request", "POST", "time-requests/{id}/answer", P.TIME_GRANT, {200: wire.TimeRequestModel},
          "Approve a request for QPU time, or reject it.",
          lambda c: c.lab.time_requests.answer(c.person, c.path["id"], c.body), body=wire.TimeRequestAnswer),
    Route("withdraw_time_request", "DELETE", "time-requests/{id}", P.TIME_REQUEST, {200: wire.TimeRequestModel},
          "Withdraw a request of one's own.", lambda c: c.lab.time_requests.withdraw(c.person, c.path["id"])),
)  # fmt: skip

"""Requests for QPU time: asked with a reason, answered once by a manager, frozen after."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import get_args

from sqlalchemy import Connection

from qpi_jupyter.core import (
    Conflict,
    Forbidden,
    NotFound,
    Permission,
    Principal,
    Rejected,
    allows,
    group_account,
    limited,
    require_quota,
)
from qpi_jupyter.wire.accounts import (
    RequestStatus,
    TimeRequestAnswer,
    TimeRequestIn,
    TimeRequestList,
    TimeRequestModel,
)
from qpi_jupyter.wire.events import TimeRequestChanged, TimeRequestData
from qpi_server.service.base import Context, Tx, cursor
from qpi_server.store import APPROVED, PENDING, WITHDRAWN, TimeRequestRow, time_requests

from .accounts import MAX_PAGE, grant, need, open_account


class TimeRequestService:
    """People ask, managers answer. Nobody but an admin answers their own."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def create(self, principal: Principal, request: TimeRequestIn) -> TimeRequestModel:
        """Ask for QPU time, for oneself or for a group one belongs to."""
        need(principal, Permission.TIME_REQUEST)
        if request.group is not None and request.group not in principal.groups:
            raise Forbidden(
                f"You are not in the group {request.group!r}: ask for yourself, or for a group of yours.",
                code="not_a_member",
                field="group",
            )

        def unit(tx: Tx) -> TimeRequestRow:
            row = TimeRequestRow(
                id=f"treq-{secrets.token_hex(8)}",
                person=principal.name,
                account=principal.name if request.group is None else group_account(request.group),
                seconds=request.seconds,
                reason=request.reason,
                created_at=tx.at,
            )
            most = self._context.config.quotas.max_time_requests
            if most is not None and limited(principal):
                open_ = time_requests.page(tx.connection, person=row.person, status=PENDING, before=None, limit=most)
                require_quota(
                    len(open_), most, "requests that wait for an answer", "withdraw one first",
                    code="too_many_pending", setting="max_time_requests",
                )  # fmt: skip
            time_requests.add(tx.connection, row)
            _tell(tx, row)
            return row

        return _model(await self._context.db.write(unit))

    async def list(
        self,
        principal: Principal,
        *,
        status: str | None = None,
        mine: bool = False,
        limit: int = 100,
        after: str | None = None,
    ) -> TimeRequestList:
        """Requests, newest first: one's own, and everybody's for those who may."""
        need(principal, Permission.TIME_READ)
        if status is not None and status not in (words := get_args(RequestStatus)):
            raise Rejected(
                f"status must be one of {', '.join(words)}, not {status!r}.", code="bad_status", field="status"
            )
        everybody = not mine and allows(principal, Permission.TIME_READ_ANY)
        person = None if everybody else principal.name
        before, limit = cursor(after), max(1, min(limit, MAX_PAGE))
        rows = await self._context.db.read(
            lambda connection: time_requests.page(connection, person=person, status=status, before=before, limit=limit)
        )
        more = str(rows[-1].seq) if len(rows) == limit else None
        return TimeRequestList(requests=[_model(row) for row in rows], next=more)

    async def get(self, principal: Principal, request_id: str) -> TimeRequestModel:
        """One request."""
        need(principal, Permission.TIME_READ)
        return _model(await self._context.db.read(lambda connection: _find(connection, principal, request_id)))

    async def answer(self, principal: Principal, request_id: str, answer: TimeRequestAnswer) -> TimeRequestModel:
        """Approve, which grants the time, or reject; once."""
        need(principal, Permission.TIME_GRANT)
        if answer.status != APPROVED and answer.seconds is not None:
            raise Rejected("Only an approval grants seconds.", code="bad_request", field="seconds")

        def unit(tx: Tx) -> TimeRequestRow:
            before = _find(tx.connection, principal, request_id)
            if before.person == principal.name:
                need(principal, Permission.TIME_GRANT_OWN, "Your own request is for another manager to answer.")
            granted_s = (answer.seconds or before.seconds) if answer.status == APPROVED else None
            row = replace(
                before,
                status=answer.status,
                answer=answer.reason,
                granted_s=granted_s,
                handled_by=principal.name,
                handled_at=tx.at,
            )
            _end(tx, before, row)
            if granted_s is not None:
                open_account(tx, row.account, self._context.config.default_allowance_s)
                reason = f"Request {row.id}: {row.reason}" if row.reason else f"Request {row.id}"
                grant(tx, row.account, granted_s, by=principal.name, reason=reason)
            data = {"account": row.account, "person": row.person, "granted_s": granted_s, "reason": row.answer}
            tx.audit(principal, f"time_request.{row.status}", f"time_request:{row.id}", **data)
            return row

        return _model(await self._context.db.write(unit))

    async def withdraw(self, principal: Principal, request_id: str) -> TimeRequestModel:
        """Take back a request of one's own that nobody has answered."""
        need(principal, Permission.TIME_REQUEST)

        def unit(tx: Tx) -> TimeRequestRow:
            before = _find(tx.connection, principal, request_id)
            if before.person != principal.name:
                raise NotFound(f"There is no request {request_id!r} of yours.", code="unknown_request")
            row = replace(before, status=WITHDRAWN, handled_by=principal.name, handled_at=tx.at)
            _end(tx, before, row)
            return row

        return _model(await self._context.db.write(unit))


def _find(connection: Connection, principal: Principal, request_id: str) -> TimeRequestRow:
    """A request that ``principal`` may see."""
    row = time_requests.find(connection, request_id)
    if row is None or not allows(principal, Permission.TIME_READ, row.person):
        raise NotFound(f"There is no request {request_id!r}, or it is not yours.", code="unknown_request")
    return row


def _end(tx: Tx, before: TimeRequestRow, row: TimeRequestRow) -> None:
    """Freeze a pending request, and tell its person."""
    if not time_requests.end(tx.connection, row):
        raise Conflict(
            f"This request was {before.status} by {before.handled_by}; that stays.",
            code="already_answered",
            status=before.status,
            handled_by=before.handled_by,
        )
    _tell(tx, row)


def _tell(tx: Tx, row: TimeRequestRow) -> None:
    data = TimeRequestData(
        id=row.id,
        account=row.account,
        person=row.person,
        seconds=row.seconds,
        status=row.status,  # type: ignore[arg-type]  # one of the Literal's words
        granted_s=row.granted_s,
        by=row.handled_by or row.person,
    )
    tx.event(TimeRequestChanged(at=tx.at, data=data), owner=row.person)


def _model(row: TimeRequestRow) -> TimeRequestModel:
    return TimeRequestModel(
        id=row.id,
        person=row.person,
        account=row.account,
        seconds=row.seconds,
        reason=row.reason,
        status=row.status,  # type: ignore[arg-type]  # one of the Literal's words
        answer=row.answer,
        granted_s=row.granted_s,
        created_at=row.created_at,
        handled_by=row.handled_by,
        handled_at=row.handled_at,
    )

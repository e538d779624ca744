"""Requests for QPU time: asked with a reason, answered once by a manager, frozen after."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime
from typing import get_args

from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.accounting import group_account
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, Rejected
from qpi_jupyter.wire.accounts import (
    RequestStatus,
    TimeRequestAnswer,
    TimeRequestIn,
    TimeRequestList,
    TimeRequestModel,
)
from qpi_jupyter.wire.events import EventName
from qpi_server.store import audit, facts, time_requests
from qpi_server.store.audit import AuditRow
from qpi_server.store.facts import EventRow
from qpi_server.store.time_requests import APPROVED, PENDING, WITHDRAWN, TimeRequestRow

from .accounts import MAX_PAGE, cursor, grant, need
from .charging import open_account
from .room import Room

MAX_PENDING = 20
"""How many requests one person may have open."""


class TimeRequestService:
    """People ask, managers answer. Nobody but an admin answers their own."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def create(self, principal: Principal, request: TimeRequestIn) -> TimeRequestModel:
        """Ask for QPU time, for oneself or for a group one belongs to."""
        need(principal, Permission.TIME_REQUEST)
        if request.group is not None and request.group not in principal.groups:
            raise Forbidden(
                f"You are not in the group {request.group!r}: ask for yourself, or for a group of yours.",
                code="not_a_member",
                field="group",
            )
        row = TimeRequestRow(
            id=f"treq-{secrets.token_hex(8)}",
            person=principal.name,
            account=principal.name if request.group is None else group_account(request.group),
            seconds=request.seconds,
            reason=request.reason,
            created_at=self._room.now(),
        )

        def unit(connection: Connection) -> None:
            open_ = time_requests.page(connection, person=row.person, status=PENDING, before=None, limit=MAX_PENDING)
            if len(open_) == MAX_PENDING:
                raise Conflict(
                    f"{MAX_PENDING} requests of yours wait for an answer: withdraw one first.", code="too_many_pending"
                )
            time_requests.add(connection, row)
            _tell(connection, row, row.created_at)

        await self._room.store.write(unit)
        self._room.outbox.news(row.person)
        return _model(row)

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
            raise Rejected(f"{status!r} is no status: {', '.join(words)}.", code="bad_status", field="status")
        everybody = not mine and allows(principal, Permission.TIME_READ_ANY)
        person = None if everybody else principal.name
        before, limit = cursor(after), max(1, min(limit, MAX_PAGE))
        rows = await self._room.store.read(
            lambda connection: time_requests.page(connection, person=person, status=status, before=before, limit=limit)
        )
        more = str(rows[-1].seq) if len(rows) == limit else None
        return TimeRequestList(requests=[_model(row) for row in rows], next=more)

    async def get(self, principal: Principal, request_id: str) -> TimeRequestModel:
        """One request."""
        need(principal, Permission.TIME_READ)
        return _model(await self._room.store.read(lambda connection: _find(connection, principal, request_id)))

    async def answer(self, principal: Principal, request_id: str, answer: TimeRequestAnswer) -> TimeRequestModel:
        """Approve, which grants the time, or reject; once."""
        need(principal, Permission.TIME_GRANT)
        if answer.status != APPROVED and answer.seconds is not None:
            raise Rejected("Only an approval grants seconds.", code="bad_request", field="seconds")
        allowance_s, at = self._room.config.default_allowance_s, self._room.now()

        def unit(connection: Connection) -> tuple[TimeRequestRow, list[str]]:
            before = _find(connection, principal, request_id)
            if before.person == principal.name:
                need(principal, Permission.TIME_GRANT_OWN, "Your own request is for another manager to answer.")
            granted_s = (answer.seconds or before.seconds) if answer.status == APPROVED else None
            row = replace(
                before,
                status=answer.status,
                answer=answer.reason,
                granted_s=granted_s,
                handled_by=principal.name,
                handled_at=at,
            )
            _end(connection, before, row)
            people = [row.person]
            if granted_s is not None:
                open_account(connection, row.account, allowance_s, at)
                reason = f"Request {row.id}: {row.reason}" if row.reason else f"Request {row.id}"
                people += grant(connection, row.account, granted_s, at, by=principal.name, reason=reason)
            _log(connection, row, principal, at)
            return row, people

        row, people = await self._room.store.write(unit)
        for person in people:
            self._room.outbox.news(person)
        return _model(row)

    async def withdraw(self, principal: Principal, request_id: str) -> TimeRequestModel:
        """Take back a request of one's own that nobody has answered."""
        need(principal, Permission.TIME_REQUEST)
        at = self._room.now()

        def unit(connection: Connection) -> TimeRequestRow:
            before = _find(connection, principal, request_id)
            if before.person != principal.name:
                raise NotFound(f"There is no request {request_id!r} of yours.", code="unknown_request")
            row = replace(before, status=WITHDRAWN, handled_by=principal.name, handled_at=at)
            _end(connection, before, row)
            return row

        row = await self._room.store.write(unit)
        self._room.outbox.news(row.person)
        return _model(row)


def _find(connection: Connection, principal: Principal, request_id: str) -> TimeRequestRow:
    """A request that ``principal`` may see."""
    row = time_requests.find(connection, request_id)
    if row is None or not allows(principal, Permission.TIME_READ, row.person):
        raise NotFound(f"There is no request {request_id!r}, or it is not yours.", code="unknown_request")
    return row


def _end(connection: Connection, before: TimeRequestRow, row: TimeRequestRow) -> None:
    """Freeze a pending request, and tell its person."""
    if not time_requests.end(connection, row):
        raise Conflict(
            f"This request was {before.status} by {before.handled_by}; that stays.",
            code="already_answered",
            status=before.status,
            handled_by=before.handled_by,
        )
    assert row.handled_at is not None
    _tell(connection, row, row.handled_at)


def _tell(connection: Connection, row: TimeRequestRow, at: datetime) -> None:
    data = {
        "id": row.id,
        "account": row.account,
        "person": row.person,
        "seconds": row.seconds,
        "status": row.status,
        "granted_s": row.granted_s,
        "by": row.handled_by or row.person,
    }
    event = EventRow(kind=EventName.TIME_REQUEST_CHANGED, at=at, owner=row.person, data=data)
    facts.add_event(connection, event)


def _log(connection: Connection, row: TimeRequestRow, who: Principal, at: datetime) -> None:
    data = {"account": row.account, "person": row.person, "granted_s": row.granted_s, "reason": row.answer}
    action, subject = f"time_request.{row.status}", f"time_request:{row.id}"
    audit.add(connection, AuditRow(at=at, who=who.name, action=action, subject=subject, data=data))


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

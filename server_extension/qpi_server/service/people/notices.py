"""Notices: announcements to everybody, or to people and groups, until each has dismissed them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core import Forbidden, NotFound, Permission, Principal, Rejected, allows, existing
from qpi_jupyter.wire.events import NoticeChanged, NoticeData
from qpi_jupyter.wire.people import NoticeChange, NoticeIn, NoticeList, NoticeModel
from qpi_server.service.base import Context, Timers, Tx
from qpi_server.store import EVERYBODY, NoticeRow, notices, people

from .shared import require_groups, require_people

MAX_LIST = 1000
Action = Literal["created", "changed", "deleted", "begun", "dismissed"]


class NoticeService:
    """Managers write; everybody reads what concerns them while its time lasts."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._starts = Timers(context.clock)
        context.commits.on(NoticeRow, self._await_start)

    async def recover(self) -> None:
        """Wait for the starts that an earlier server waited for."""
        now = self._context.now()
        for row in await self._context.db.read(lambda connection: notices.to_come(connection, now)):
            self._await_start(row)

    def close(self) -> None:
        """Wait for nothing any more."""
        self._starts.close()

    async def list(self, principal: Principal, *, all: bool = False) -> NoticeList:
        """What one has to know now and has not dismissed, newest first; ``all`` of them, for managers.

        Raises
        ------
        Forbidden
            all of them, and no manager.
        """
        manages = allows(principal, Permission.NOTICES_WRITE)
        if all and not manages:
            raise Forbidden("All notices are for managers to see; leave all out for yours.")
        at = None if all else self._context.now()
        found = await self._context.db.read(
            lambda connection: notices.newest(connection, principal.name, at=at, limit=MAX_LIST)
        )
        shown = [(row, done) for row, done in found if all or (_concerns(row, principal) and not done)]
        return NoticeList(notices=[_model(row, principal, done) for row, done in shown])

    async def create(self, principal: Principal, request: NoticeIn) -> NoticeModel:
        """A new notice.

        Raises
        ------
        Rejected
            its end is past, or before its start; people or groups whom the lab does not know.
        """

        def unit(tx: Tx) -> NoticeRow:
            row = NoticeRow(
                id=f"not-{secrets.token_hex(8)}", title=request.title, body=request.body,
                people=_names(request.people), groups=_names(request.groups), start_at=request.start_at,
                end_at=request.end_at, created_by=principal.name, created_at=tx.at, changed_at=tx.at,
            )  # fmt: skip
            _check(tx, row)
            _put(tx, principal, row, "created", row)
            return row

        return _model(await self._context.db.write(unit), principal, dismissed=False)

    async def change(self, principal: Principal, notice_id: str, request: NoticeChange) -> NoticeModel:
        """Change a notice. Who has dismissed it does not see it again.

        Raises
        ------
        NotFound
            no such notice.
        """
        given = {name: value for name, value in msgspec.structs.asdict(request).items() if value is not UNSET}
        values: dict[str, Any] = {k: _names(v) if k in ("people", "groups") else v for k, v in given.items()}

        def unit(tx: Tx) -> tuple[NoticeRow, bool]:
            before = _find(tx.connection, notice_id)
            row = replace(before, **values, changed_at=tx.at)
            if {"start_at", "end_at", "people", "groups"} & set(values):
                _check(tx, row)
            _put(tx, principal, row, "changed", before)
            return row, notices.dismissed(tx.connection, notice_id, principal.name)

        row, done = await self._context.db.write(unit)
        return _model(row, principal, done)

    async def delete(self, principal: Principal, notice_id: str) -> NoticeModel:
        """Take a notice back.

        Raises
        ------
        NotFound
            no such notice.
        """

        def unit(tx: Tx) -> tuple[NoticeRow, bool]:
            row = _find(tx.connection, notice_id)
            _put(tx, principal, replace(row, deleted_at=tx.at, changed_at=tx.at), "deleted", row)
            return row, notices.dismissed(tx.connection, notice_id, principal.name)

        row, done = await self._context.db.write(unit)
        return _model(row, principal, done)

    async def dismiss(self, principal: Principal, notice_id: str) -> NoticeModel:
        """Do not show a notice to ``principal`` again; others go on seeing it. Again is fine.

        Raises
        ------
        NotFound
            no such notice, or it is not theirs.
        """

        def unit(tx: Tx) -> NoticeRow:
            row = _find(tx.connection, notice_id)
            if not _concerns(row, principal) and not allows(principal, Permission.NOTICES_WRITE):
                raise _unknown(notice_id)
            if not notices.dismissed(tx.connection, notice_id, principal.name):
                notices.dismiss(tx.connection, notice_id, principal.name, tx.at)
                _tell(tx, row.id, "dismissed", {principal.name})
            return row

        row = await self._context.db.write(unit)
        return _model(row, principal, dismissed=True)

    def _await_start(self, row: NoticeRow) -> None:
        """Say when the notice's time begins, to those who would else see it at their next look only."""
        self._starts.cancel(row.id)
        wait_s = (row.start_at - self._context.now()).total_seconds() if row.start_at is not None else 0.0
        if wait_s > 0 and row.deleted_at is None:
            self._starts.after(
                wait_s, row.id, lambda: self._context.tasks.start(self._begin(row.id), f"notice {row.id} begins")
            )

    async def _begin(self, notice_id: str) -> None:
        def unit(tx: Tx) -> None:
            row = notices.find(tx.connection, notice_id)
            if row is not None:
                _tell(tx, notice_id, "begun", _audience(tx.connection, row))

        await self._context.db.write(unit)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _check(tx: Tx, row: NoticeRow) -> None:
    if row.end_at is not None and row.end_at <= (row.start_at or tx.at):
        raise Rejected("The end must be after the start.", code="reversed", field="end_at")
    if row.end_at is not None and row.end_at <= tx.at:
        raise Rejected("The notice must end in the future.", code="past", field="end_at")
    require_people(tx.connection, row.people, "people")
    require_groups(tx.connection, row.groups, "groups")


def _put(tx: Tx, principal: Principal, row: NoticeRow, action: Action, before: NoticeRow) -> None:
    """Write a notice and the log's line, and tell each whom it concerns or concerned."""
    notices.put(tx.connection, row)
    tx.tell(row)
    data = {"title": row.title, "people": list(row.people), "groups": list(row.groups)}
    tx.audit(principal, f"notice.{action}", f"notice:{row.id}", **data)
    concerned = _audience(tx.connection, row) | _audience(tx.connection, before)
    _tell(tx, row.id, action, {EVERYBODY} if EVERYBODY in concerned else concerned)


def _tell(tx: Tx, notice_id: str, action: Action, concerned: set[str]) -> None:
    for name in sorted(concerned):
        tx.event(NoticeChanged(at=tx.at, data=NoticeData(id=notice_id, action=action)), owner=name)


def _audience(connection: Connection, row: NoticeRow) -> set[str]:
    """Whom a notice concerns; `EVERYBODY` alone for a broadcast."""
    if not row.people and not row.groups:
        return {EVERYBODY}
    return {*row.people, *(name for names in people.members(connection, row.groups).values() for name in names)}


def _concerns(row: NoticeRow, principal: Principal) -> bool:
    broadcast = not row.people and not row.groups
    return broadcast or principal.name in row.people or not principal.groups.isdisjoint(row.groups)


def _find(connection: Connection, notice_id: str) -> NoticeRow:
    return existing(notices.find(connection, notice_id), _unknown(notice_id))


def _unknown(notice_id: str) -> NotFound:
    return NotFound(f"There is no notice {notice_id!r}, or it is not for you.", code="unknown_notice")


def _model(row: NoticeRow, principal: Principal, dismissed: bool) -> NoticeModel:
    """A notice; whom else it was sent to is for managers to know."""
    manages = allows(principal, Permission.NOTICES_WRITE)
    return NoticeModel(
        id=row.id,
        title=row.title,
        body=row.body,
        created_by=row.created_by,
        created_at=row.created_at,
        people=[name for name in row.people if manages or name == principal.name],
        groups=[name for name in row.groups if manages or name in principal.groups],
        start_at=row.start_at,
        end_at=row.end_at,
        dismissed=dismissed,
    )

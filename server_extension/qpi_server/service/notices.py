"""Notices: announcements to everybody, or to people and groups, until each has dismissed them."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.errors import Forbidden, NotFound, Rejected
from qpi_jupyter.wire.events import EventName
from qpi_jupyter.wire.people import NoticeChange, NoticeIn, NoticeList, NoticeModel
from qpi_server.store import facts, notices, people
from qpi_server.store.facts import EVERYBODY, EventRow
from qpi_server.store.notices import NoticeRow

from .clock import Timer
from .parts import record, require_groups, require_people
from .room import Room

MAX_LIST = 1000


class NoticeService:
    """Managers write; everybody reads what concerns them while its time lasts."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._starts: dict[str, Timer] = {}

    async def recover(self) -> None:
        """Wait for the starts that an earlier server waited for."""
        now = self._room.now()
        for row in await self._room.store.read(lambda connection: notices.to_come(connection, now)):
            self._await_start(row)

    def close(self) -> None:
        """Wait for nothing any more."""
        for timer in self._starts.values():
            timer.cancel()
        self._starts.clear()

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
        at = None if all else self._room.now()
        found = await self._room.store.read(
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
        at = self._room.now()
        row = NoticeRow(
            id=f"not-{secrets.token_hex(8)}", title=request.title, body=request.body, people=_names(request.people),
            groups=_names(request.groups), start_at=request.start_at, end_at=request.end_at,
            created_by=principal.name, created_at=at, changed_at=at,
        )  # fmt: skip

        def unit(connection: Connection) -> set[str]:
            _check(connection, row, at)
            return self._put(connection, principal, row, "created", row)

        self._ring(await self._room.store.write(unit))
        self._await_start(row)
        return _model(row, principal, dismissed=False)

    async def change(self, principal: Principal, notice_id: str, request: NoticeChange) -> NoticeModel:
        """Change a notice. Who has dismissed it does not see it again.

        Raises
        ------
        NotFound
            no such notice.
        """
        at = self._room.now()
        given = {name: value for name, value in msgspec.structs.asdict(request).items() if value is not UNSET}
        values: dict[str, Any] = {k: _names(v) if k in ("people", "groups") else v for k, v in given.items()}

        def unit(connection: Connection) -> tuple[NoticeRow, bool, set[str]]:
            before = _find(connection, notice_id)
            row = replace(before, **values, changed_at=at)
            if {"start_at", "end_at", "people", "groups"} & set(values):
                _check(connection, row, at)
            done = notices.dismissed(connection, notice_id, principal.name)
            return row, done, self._put(connection, principal, row, "changed", before)

        row, done, concerned = await self._room.store.write(unit)
        self._ring(concerned)
        self._await_start(row)
        return _model(row, principal, done)

    async def delete(self, principal: Principal, notice_id: str) -> NoticeModel:
        """Take a notice back.

        Raises
        ------
        NotFound
            no such notice.
        """
        at = self._room.now()

        def unit(connection: Connection) -> tuple[NoticeRow, bool, set[str]]:
            row = _find(connection, notice_id)
            done = notices.dismissed(connection, notice_id, principal.name)
            gone = replace(row, deleted_at=at, changed_at=at)
            return row, done, self._put(connection, principal, gone, "deleted", row)

        row, done, concerned = await self._room.store.write(unit)
        self._ring(concerned)
        self._forget_start(row.id)
        return _model(row, principal, done)

    async def dismiss(self, principal: Principal, notice_id: str) -> NoticeModel:
        """Do not show a notice to ``principal`` again; others go on seeing it. Again is fine.

        Raises
        ------
        NotFound
            no such notice, or it is not theirs.
        """
        at = self._room.now()

        def unit(connection: Connection) -> NoticeRow:
            row = _find(connection, notice_id)
            if not _concerns(row, principal) and not allows(principal, Permission.NOTICES_WRITE):
                raise _unknown(notice_id)
            if not notices.dismissed(connection, notice_id, principal.name):
                notices.dismiss(connection, notice_id, principal.name, at)
                facts.add_event(connection, _event(row.id, "dismissed", principal.name, at))
            return row

        row = await self._room.store.write(unit)
        self._room.outbox.news(principal.name)
        return _model(row, principal, dismissed=True)

    def _put(
        self, connection: Connection, principal: Principal, row: NoticeRow, action: str, before: NoticeRow
    ) -> set[str]:
        """Write a notice, the log's line and an event for each whom it concerns or concerned; returns these."""
        notices.put(connection, row)
        data = {"title": row.title, "people": list(row.people), "groups": list(row.groups)}
        record(connection, principal, f"notice.{action}", f"notice:{row.id}", row.changed_at, **data)
        concerned = _audience(connection, row) | _audience(connection, before)
        concerned = {EVERYBODY} if EVERYBODY in concerned else concerned
        for name in sorted(concerned):
            facts.add_event(connection, _event(row.id, action, name, row.changed_at))
        return concerned

    def _await_start(self, row: NoticeRow) -> None:
        """Say when the notice's time begins, to those who would else see it at their next look only."""
        self._forget_start(row.id)
        wait_s = (row.start_at - self._room.now()).total_seconds() if row.start_at is not None else 0.0
        if wait_s > 0:
            clock, tasks = self._room.clock, self._room.outbox.tasks
            self._starts[row.id] = clock.call_at(
                clock.monotonic() + wait_s, lambda: tasks.start(self._begin(row.id), f"notice {row.id} begins")
            )

    def _forget_start(self, notice_id: str) -> None:
        if (timer := self._starts.pop(notice_id, None)) is not None:
            timer.cancel()

    async def _begin(self, notice_id: str) -> None:
        self._starts.pop(notice_id, None)
        at = self._room.now()

        def unit(connection: Connection) -> set[str]:
            row = notices.find(connection, notice_id)
            concerned = _audience(connection, row) if row is not None else set()
            for name in sorted(concerned):
                facts.add_event(connection, _event(notice_id, "begun", name, at))
            return concerned

        self._ring(await self._room.store.write(unit))

    def _ring(self, concerned: set[str]) -> None:
        for name in concerned:
            if name == EVERYBODY:
                self._room.outbox.public()
            else:
                self._room.outbox.news(name)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))


def _check(connection: Connection, row: NoticeRow, at: datetime) -> None:
    for field in ("start_at", "end_at"):
        moment = getattr(row, field)
        if moment is not None and moment.tzinfo is None:
            raise Rejected(f"{field} carries a time zone.", code="bad_request", field=field)
    if row.end_at is not None and row.end_at <= (row.start_at or at):
        raise Rejected("A notice ends after it starts.", code="reversed", field="end_at")
    if row.end_at is not None and row.end_at <= at:
        raise Rejected("The notice's end is past: nobody would see it.", code="past", field="end_at")
    require_people(connection, row.people, "people")
    require_groups(connection, row.groups, "groups")


def _audience(connection: Connection, row: NoticeRow) -> set[str]:
    """Whom a notice concerns; `EVERYBODY` alone for a broadcast."""
    if not row.people and not row.groups:
        return {EVERYBODY}
    return {*row.people, *(name for names in people.members(connection, row.groups).values() for name in names)}


def _concerns(row: NoticeRow, principal: Principal) -> bool:
    broadcast = not row.people and not row.groups
    return broadcast or principal.name in row.people or not principal.groups.isdisjoint(row.groups)


def _find(connection: Connection, notice_id: str) -> NoticeRow:
    row = notices.find(connection, notice_id)
    if row is None:
        raise _unknown(notice_id)
    return row


def _unknown(notice_id: str) -> NotFound:
    return NotFound(f"There is no notice {notice_id!r}, or it is not for you.", code="unknown_notice")


def _event(notice_id: str, action: str, owner: str, at: datetime) -> EventRow:
    return EventRow(kind=EventName.NOTICE_CHANGED, at=at, owner=owner, data={"id": notice_id, "action": action})


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

"""Sessions: a QPU held for one person's low-latency loop, and what holding it costs."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from qpi_jupyter.core import accounting
from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.accounting import Entry, EntryKind, group_account
from qpi_jupyter.core.bookings import BookingMode
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound
from qpi_jupyter.core.planner import View
from qpi_jupyter.wire.bookings import SessionIn, SessionList, SessionModel
from qpi_jupyter.wire.events import EventName
from qpi_server.store import facts, qpu_sessions, usage
from qpi_server.store.facts import EventRow
from qpi_server.store.qpu_sessions import SessionRow
from qpi_server.store.view import load_rules, use

from .charging import set_aside
from .clock import Timer
from .room import Room
from .sessions import Sessions

PAGE = 100
_ATTEMPT = 0
"""A session's lines in the ledger carry its id as ``job_id``, and this: no attempt of a job has it."""


class QpuSessionService:
    """Opens, renews and closes sessions. Each has a timer for its end, made anew whenever that may have moved."""

    def __init__(self, room: Room, sessions: Sessions) -> None:
        self._room, self._sessions = room, sessions
        self._public = room.config.public_bookings
        self._open: dict[str, str] = {}
        """The open session of each QPU."""
        self._timers: dict[str, Timer] = {}

    async def open(self, principal: Principal, request: SessionIn) -> SessionModel:
        """Hold a QPU.

        Raises
        ------
        NotFound
            there is no such QPU.
        Forbidden
            the group is not one's own; there is not enough QPU time.
        Conflict
            it is held, booked by somebody else, or not there; where a later time would do, the message says so.
        """
        qpu, at = self._room.qpu(request.qpu).name, self._room.now()
        if not allows(principal, Permission.SESSIONS_OPEN):
            raise Forbidden("You may not open sessions.", code="forbidden")
        if request.group is not None and request.group not in principal.groups:
            raise Forbidden(f"You are not in the group {request.group!r}.", code="not_a_member", field="group")
        online = self._sessions.online(qpu)
        new = SessionRow(
            id=f"ses-{secrets.token_hex(8)}",
            qpu=qpu,
            holder=principal.name,
            account=principal.name if request.group is None else group_account(request.group),
            booking_id=None,
            budget_s=request.budget_s,
            idle_s=request.idle_s,
            opened_at=at,
            seen_at=at,
            expires_at=at,
        )

        def unit(connection: Connection) -> SessionRow:
            view = load_rules(connection, qpu, at, self._room.config.policy, online=online)
            taken = qpu_sessions.open_on(connection, qpu)
            if taken is not None:
                who = taken.holder if sees_holder(principal, taken, public=self._public) else "Somebody"
                raise Conflict(
                    f"{who} holds a session on {qpu} until {taken.expires_at:%H:%M} UTC or later.",
                    code="session_open",
                    session_id=taken.id if taken.holder == principal.name else None,
                )
            row = _admitted(view, new)
            qpu_sessions.add(connection, row)
            if row.booking_id is None:
                self._set_aside(connection, row)
            else:
                use(connection, row.booking_id, at)
            facts.add_event(connection, _event(row, at, "opened", public=self._public))
            return row

        row = await self._room.store.write(unit)
        self._watch(row)
        self._tell(row)
        return self._model(principal, row)

    async def renew(self, principal: Principal, session_id: str) -> SessionModel:
        """Say that the holder is still there.

        Raises
        ------
        NotFound
            there is no such session of one's own.
        Conflict
            it is over.
        """
        at = self._room.now()

        def unit(connection: Connection) -> SessionRow:
            row = _mine(connection, principal, session_id)
            if row.closed_at is not None:
                raise Conflict(f"The session is over: {row.reason}", code="session_over")
            return self._extended(connection, replace(row, seen_at=at), at)[0]

        row = await self._room.store.write(unit)
        self._watch(row)
        return self._model(principal, row)

    async def close(self, principal: Principal, session_id: str) -> SessionModel:
        """End a session of one's own, or, as a manager, anybody's; again is fine."""
        at = self._room.now()

        def unit(connection: Connection) -> SessionRow:
            row = qpu_sessions.find(connection, session_id)
            if row is None or (row.holder != principal.name and not allows(principal, Permission.QPUS_OPERATE)):
                raise NotFound(f"There is no session {session_id!r} of yours.", code="unknown_session")
            return (
                row if row.closed_at is not None else self._finish(connection, row, at, f"{principal.name} closed it.")
            )

        row = await self._room.store.write(unit)
        self._gone(row)
        return self._model(principal, row)

    async def list(self, principal: Principal) -> SessionList:
        """The open sessions of the lab, and one's own latest ones, newest first."""
        rows = await self._room.store.read(lambda connection: qpu_sessions.page(connection, principal.name, PAGE))
        return SessionList(sessions=[self._model(principal, row) for row in rows])

    async def recover(self) -> None:
        """After a start: a holder could not renew while the lab was away, and gets its time to."""
        at = self._room.now()

        def unit(connection: Connection) -> list[SessionRow]:
            found = [qpu_sessions.open_on(connection, qpu) for qpu in self._room.qpus]
            live = [replace(row, seen_at=at) for row in found if row is not None]
            return [self._extended(connection, row, at)[0] for row in live]

        for row in await self._room.store.write(unit):
            self._watch(row)

    def wake(self, qpu: str) -> None:
        """Whether a session may go on may have changed."""
        if qpu in self._open:
            self._room.outbox.tasks.start(self._check(qpu), f"session on {qpu}")

    def close_all(self) -> None:
        """The lab closes; sessions go on when it is back."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    async def _check(self, qpu: str) -> None:
        """Close the QPU's session if its time is over, else see to it that its end is noticed."""
        at = self._room.now()

        def unit(connection: Connection) -> SessionRow | None:
            row = qpu_sessions.open_on(connection, qpu)
            if row is None:
                return None
            row, reason = self._extended(connection, row, at)
            return self._finish(connection, row, at, reason) if row.expires_at <= at else row

        row = await self._room.store.write(unit)
        if row is None or row.closed_at is not None:
            self._forget(qpu)
            if row is not None:
                self._tell(row)
        else:
            self._watch(row)

    def _extended(self, connection: Connection, row: SessionRow, at: datetime) -> tuple[SessionRow, str]:
        """The session with its end as things are now, and what ends it then."""
        view = load_rules(connection, row.qpu, at, self._room.config.policy, online=True)
        expires_at, reason = _end(view, row, at)
        if expires_at != row.expires_at or row.seen_at == at:
            qpu_sessions.extend(connection, row.id, seen_at=row.seen_at, expires_at=expires_at)
        return replace(row, expires_at=expires_at), reason

    def _set_aside(self, connection: Connection, row: SessionRow) -> None:
        """Hold the budget on the account that pays."""
        hold = _entry(EntryKind.HOLD, row, -row.budget_s, row.opened_at)
        set_aside(connection, hold, self._room.config.default_allowance_s)

    def _finish(self, connection: Connection, row: SessionRow, at: datetime, reason: str) -> SessionRow:
        """Close the session and say so."""
        row = _close(connection, row, at, reason)
        facts.add_event(connection, _event(row, at, "closed", public=self._public))
        return row

    def _model(self, principal: Principal, row: SessionRow) -> SessionModel:
        return SessionModel(
            id=row.id,
            qpu=row.qpu,
            holder=row.holder if sees_holder(principal, row, public=self._public) else None,
            opened_at=row.opened_at,
            expires_at=row.expires_at,
            closed_at=row.closed_at,
            reason=row.reason,
            booking_id=row.booking_id,
            budget_s=row.budget_s,
            held_s=row.held_s,
            busy_s=row.busy_s,
        )

    def _watch(self, row: SessionRow) -> None:
        self._forget(row.qpu)
        self._open[row.qpu] = row.id
        left_s = max(0.0, (row.expires_at - self._room.now()).total_seconds())
        moment = self._room.clock.monotonic() + left_s
        self._timers[row.qpu] = self._room.clock.call_at(moment, lambda: self.wake(row.qpu))

    def _forget(self, qpu: str) -> None:
        self._open.pop(qpu, None)
        if (timer := self._timers.pop(qpu, None)) is not None:
            timer.cancel()

    def _gone(self, row: SessionRow) -> None:
        if self._open.get(row.qpu) == row.id:
            self._forget(row.qpu)
        self._tell(row)

    def _tell(self, row: SessionRow) -> None:
        self._room.outbox.public()
        self._room.outbox.wake(row.qpu)


def _admitted(view: View, new: SessionRow) -> SessionRow:
    """The session, if the QPU is to be had.

    Raises
    ------
    Conflict
        it is not.
    """
    if not view.enabled or view.maintenance or view.hold is not None or not view.online:
        raise Conflict(f"{view.qpu} takes no jobs now: a session would only wait.", code="qpu_closed")
    booking, at = view.booking, new.opened_at
    if booking is not None and (booking.mode is BookingMode.MAINTENANCE or not booking.admits(new.holder)):
        raise Conflict(
            f"{view.qpu} is booked until {booking.end_at:%H:%M} UTC: open a session after that, or on another QPU.",
            code="booked",
            until=booking.end_at.isoformat(),
        )
    row = new if booking is None else replace(new, booking_id=booking.id)
    if booking is None:
        foreign = next((b for b in view.ahead if _foreign(b.mode, b.admits(new.holder))), None)
        if foreign is not None and foreign.start_at < at + timedelta(seconds=new.budget_s):
            left_s = (foreign.start_at - at).total_seconds()
            raise Conflict(
                f"{view.qpu} is booked from {foreign.start_at:%H:%M} UTC: a session would have to end then. Ask for a "
                f"budget of at most {left_s:.0f} s.",
                code="booked_soon",
                field="budget_s",
                until=foreign.start_at.isoformat(),
                longest_s=left_s,
            )
    return replace(row, expires_at=_end(view, row, at)[0])


def _foreign(mode: BookingMode, admitted: bool) -> bool:
    return mode is BookingMode.MAINTENANCE or not admitted


def _end(view: View, row: SessionRow, at: datetime) -> tuple[datetime, str]:
    """When the session ends without another word from its holder, and why."""
    ends = [(row.seen_at + timedelta(seconds=row.idle_s), "Nobody renewed it.")]
    if not view.enabled or view.maintenance:
        ends.append((at, f"{row.qpu} was closed."))
    booking = view.booking
    if row.booking_id is not None:
        on = booking is not None and booking.id == row.booking_id
        ends.append((booking.end_at if booking is not None and on else at, "Its booking ended."))
        return min(ends)
    ends.append((row.opened_at + timedelta(seconds=row.budget_s), "Its budget is used up."))
    if booking is not None and _foreign(booking.mode, booking.admits(row.holder)):
        ends.append((at, f"{booking.booked_by}'s booking began."))
    ends += [
        (b.start_at, f"{b.booked_by}'s booking began.") for b in view.ahead if _foreign(b.mode, b.admits(row.holder))
    ]
    return min(ends)


def _close(connection: Connection, row: SessionRow, at: datetime, reason: str) -> SessionRow:
    """Close the session, and charge what it held the QPU for beside the jobs that ran in it."""
    held_s = (at - row.opened_at).total_seconds()
    busy_s = min(held_s, qpu_sessions.busy_s(connection, row, at))
    qpu_sessions.close(connection, row.id, at=at, reason=reason, held_s=held_s, busy_s=busy_s)
    if row.booking_id is None:
        idle_s = min(held_s, row.budget_s) - min(busy_s, row.budget_s)
        entries = facts.entries(connection, row.id)
        amount_s = accounting.settle(entries, attempt=_ATTEMPT, busy_s=idle_s)
        if amount_s is not None:
            entry = _entry(EntryKind.SETTLE, row, amount_s, at)
            facts.add_entry(connection, entry, released_s=accounting.held(entries, _ATTEMPT))
        if idle_s > 0:
            usage.add(connection, row.qpu, row.holder, at, idle_s)
    return replace(row, closed_at=at, reason=reason, held_s=held_s, busy_s=busy_s)


def _entry(kind: EntryKind, row: SessionRow, amount_s: float, at: datetime) -> Entry:
    return Entry(
        kind=kind,
        account=row.account,
        amount_s=amount_s,
        at=at,
        qpu=row.qpu,
        job_id=row.id,
        attempt=_ATTEMPT,
        reason="session",
        person=row.holder,
    )


def _event(row: SessionRow, at: datetime, action: str, *, public: bool) -> EventRow:
    who = {"holder": row.holder, "reason": row.reason} if public else {}
    data = {"action": action, "session_id": row.id, **who}
    return EventRow(kind=EventName.SESSION_CHANGED, at=at, qpu=row.qpu, data=data)


def _mine(connection: Connection, principal: Principal, session_id: str) -> SessionRow:
    row = qpu_sessions.find(connection, session_id)
    if row is None or row.holder != principal.name:
        raise NotFound(f"There is no session {session_id!r} of yours.", code="unknown_session")
    return row


def sees_holder(principal: Principal, row: SessionRow, *, public: bool) -> bool:
    """Whether ``principal`` is told whose session it is: as with bookings."""
    return public or row.holder == principal.name or allows(principal, Permission.BOOKINGS_WRITE_ANY)

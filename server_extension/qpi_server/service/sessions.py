"""Sessions: a QPU held for one person's low-latency loop, and what holding it costs."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from qpi_jupyter.core import (
    BookingMode,
    Conflict,
    Entry,
    EntryKind,
    Forbidden,
    NotFound,
    Permission,
    Principal,
    View,
    accounting,
    allows,
    group_account,
    times,
)
from qpi_jupyter.wire.bookings import SessionIn, SessionList, SessionModel
from qpi_jupyter.wire.events import SessionChanged, SessionData
from qpi_server.service.accounts import set_aside
from qpi_server.service.base import Context, Timers, Tx, Wake, the_qpu
from qpi_server.service.bookings import came
from qpi_server.service.links import Links
from qpi_server.store import SessionRow, facts, load_rules, qpu_sessions, usage

PAGE = 100
_ATTEMPT = 0
"""A session's lines in the ledger carry its id as ``job_id``, and this: no attempt of a job has it."""


class QpuSessionService:
    """Opens, renews and closes sessions. Each has a timer for its end, made anew whenever that may have moved."""

    def __init__(self, context: Context, links: Links) -> None:
        self._context, self._db, self._links = context, context.db, links
        self._public = context.config.public_bookings
        self._open: dict[str, str] = {}
        """The open session of each QPU."""
        self._timers = Timers(context.clock)
        context.commits.on(SessionRow, self._moved)
        context.commits.on(Wake, lambda wake: self._wake(wake.qpu))

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
        qpu, at = self._context.qpus.get(request.qpu).name, self._context.now()
        if not allows(principal, Permission.SESSIONS_OPEN):
            raise Forbidden("You don't have permission to open sessions.", code="forbidden")
        if request.group is not None and request.group not in principal.groups:
            raise Forbidden(f"You are not in the group {request.group!r}.", code="not_a_member", field="group")
        online = self._links.online(qpu)
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

        def unit(tx: Tx) -> SessionRow:
            connection = tx.connection
            the_qpu(connection, qpu)
            view = load_rules(connection, qpu, at, self._context.config.policy, online=online)
            taken = qpu_sessions.open_on(connection, qpu)
            if taken is not None:
                raise self._taken(principal, taken)
            row = _admitted(view, new)
            qpu_sessions.add(connection, row)
            if row.booking_id is None:
                hold = _entry(EntryKind.HOLD, row, -row.budget_s, row.opened_at)
                set_aside(tx, hold, self._context.config.default_allowance_s)
            elif view.booking is not None:
                came(tx, view.booking, at)
            self._tell(tx, "opened", row)
            return row

        return self._model(principal, await self._db.write(unit, at=at))

    async def renew(self, principal: Principal, session_id: str) -> SessionModel:
        """Say that the holder is still there.

        Raises
        ------
        NotFound
            there is no such session of one's own.
        Conflict
            it is over.
        """

        def unit(tx: Tx) -> SessionRow:
            row = _mine(tx.connection, principal, session_id)
            if row.closed_at is not None:
                raise Conflict(f"The session is over: {row.reason}", code="session_over")
            return self._extended(tx, replace(row, seen_at=tx.at))[0]

        return self._model(principal, await self._db.write(unit))

    async def close(self, principal: Principal, session_id: str) -> SessionModel:
        """End a session of one's own, or, as a manager, anybody's; again is fine."""

        def unit(tx: Tx) -> SessionRow:
            row = qpu_sessions.find(tx.connection, session_id)
            if row is None or (row.holder != principal.name and not allows(principal, Permission.QPUS_OPERATE)):
                raise NotFound(f"There is no session {session_id!r} of yours.", code="unknown_session")
            return row if row.closed_at is not None else self._finish(tx, row, f"{principal.name} closed it.")

        return self._model(principal, await self._db.write(unit))

    async def list(self, principal: Principal) -> SessionList:
        """The open sessions of the lab, and one's own latest ones, newest first."""
        rows = await self._db.read(lambda connection: qpu_sessions.page(connection, principal.name, PAGE))
        return SessionList(sessions=[self._model(principal, row) for row in rows])

    async def recover(self) -> None:
        """After a start: a holder could not renew while the lab was away, and gets its time to."""

        def unit(tx: Tx) -> None:
            for qpu in self._context.qpus.names:
                if (row := qpu_sessions.open_on(tx.connection, qpu)) is not None:
                    self._extended(tx, replace(row, seen_at=tx.at))

        await self._db.write(unit)

    def _wake(self, qpu: str) -> None:
        """Whether a session may go on may have changed."""
        if qpu in self._open:
            self._context.tasks.start(self._check(qpu), f"session on {qpu}")

    def close_all(self) -> None:
        """The lab closes; sessions go on when it is back."""
        self._timers.close()

    async def _check(self, qpu: str) -> None:
        """Close the QPU's session if its time is over, else see to it that its end is noticed."""

        def unit(tx: Tx) -> None:
            row = qpu_sessions.open_on(tx.connection, qpu)
            if row is None:
                return
            row, reason = self._extended(tx, row)
            if row.expires_at <= tx.at:
                self._finish(tx, row, reason)

        await self._db.write(unit)

    def _extended(self, tx: Tx, row: SessionRow) -> tuple[SessionRow, str]:
        """The session with its end as things are now, and what ends it then."""
        view = load_rules(tx.connection, row.qpu, tx.at, self._context.config.policy, online=True)
        expires_at, reason = _end(view, row, tx.at)
        if expires_at != row.expires_at or row.seen_at == tx.at:
            qpu_sessions.change(tx.connection, row.id, seen_at=row.seen_at, expires_at=expires_at)
        row = replace(row, expires_at=expires_at)
        tx.tell(row)
        return row, reason

    def _taken(self, principal: Principal, row: SessionRow) -> Conflict:
        """The QPU is held already; if by oneself, how to let go of it."""
        until = f"until {row.expires_at:%H:%M} UTC or later"
        if row.holder == principal.name:
            return Conflict(
                f"You already hold a session on {row.qpu} {until}. In a notebook, lab.sessions() lists it: "
                "lab.sessions()[0].close() ends it, and `with lab.sessions()[0] as session:` goes on with it.",
                code="session_open",
                session_id=row.id,
            )
        who = row.holder if sees_holder(principal, row, public=self._public) else "Somebody"
        return Conflict(f"{who} holds a session on {row.qpu} {until}.", code="session_open", session_id=None)

    def _finish(self, tx: Tx, row: SessionRow, reason: str) -> SessionRow:
        """Close the session and say so."""
        row = _close(tx.connection, row, tx.at, reason)
        self._tell(tx, "closed", row)
        return row

    def _tell(self, tx: Tx, action: Literal["opened", "closed"], row: SessionRow) -> None:
        data = SessionData(action=action, session_id=row.id)
        if self._public:
            data.holder, data.reason = row.holder, row.reason
        tx.event(SessionChanged(at=tx.at, qpu=row.qpu, data=data))
        tx.wake(row.qpu)
        tx.tell(row)

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
            idle_s=row.idle_s,
            held_s=row.held_s,
            busy_s=row.busy_s,
            mine=row.holder == principal.name,
        )

    def _moved(self, row: SessionRow) -> None:
        """See to it that the end of a session is noticed."""
        if row.closed_at is not None and self._open.get(row.qpu) != row.id:
            return
        self._open.pop(row.qpu, None)
        self._timers.cancel(row.qpu)
        if row.closed_at is None:
            self._open[row.qpu] = row.id
            left_s = (row.expires_at - self._context.now()).total_seconds()
            self._timers.after(left_s, row.qpu, lambda: self._wake(row.qpu))


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
        if foreign is not None and foreign.start_at < times.after(at, new.budget_s):
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
    ends = [(times.after(row.seen_at, row.idle_s), "It was not renewed.")]
    if not view.enabled or view.maintenance:
        ends.append((at, f"{row.qpu} was closed."))
    booking = view.booking
    if row.booking_id is not None:
        on = booking is not None and booking.id == row.booking_id
        ends.append((booking.end_at if booking is not None and on else at, "Its booking ended."))
        return min(ends)
    ends.append((times.after(row.opened_at, row.budget_s), "Its budget is used up."))
    if booking is not None and _foreign(booking.mode, booking.admits(row.holder)):
        ends.append((at, "Somebody else's booking began."))
    ends += [
        (b.start_at, "Somebody else's booking began.") for b in view.ahead if _foreign(b.mode, b.admits(row.holder))
    ]
    return min(ends)


def _close(connection: Connection, row: SessionRow, at: datetime, reason: str) -> SessionRow:
    """Close the session, and charge what it held the QPU for beside the jobs that ran in it."""
    held_s = (at - row.opened_at).total_seconds()
    busy_s = min(held_s, qpu_sessions.busy_s(connection, row, at))
    qpu_sessions.change(connection, row.id, closed_at=at, reason=reason, held_s=held_s, busy_s=busy_s)
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


def _mine(connection: Connection, principal: Principal, session_id: str) -> SessionRow:
    row = qpu_sessions.find(connection, session_id)
    if row is None or row.holder != principal.name:
        raise NotFound(f"There is no session {session_id!r} of yours.", code="unknown_session")
    return row


def sees_holder(principal: Principal, row: SessionRow, *, public: bool) -> bool:
    """Whether ``principal`` is told whose session it is: as with bookings."""
    return public or row.holder == principal.name or allows(principal, Permission.BOOKINGS_WRITE_ANY)

"""QPU time: what is left, what was used, and the grants of managers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core.access import Permission, Principal, allows
from qpi_jupyter.core.accounting import Entry, EntryKind, group_account, is_limited, month_range, this_month
from qpi_jupyter.core.errors import Forbidden, NotFound, Rejected
from qpi_jupyter.wire.accounts import (
    AccountChange,
    AccountList,
    AccountModel,
    EntryModel,
    EntryPage,
    GrantIn,
    Statement,
    StatementLine,
)
from qpi_server.store import accounts, audit
from qpi_server.store.accounts import AccountRow
from qpi_server.store.audit import AuditRow

from .charging import open_account, post
from .room import Room

MAX_PAGE = 500
MAX_S = 1e9


class AccountService:
    """Accounts of people and groups. Only managers change them, and nobody but an admin their own."""

    def __init__(self, room: Room) -> None:
        self._room = room

    async def get(self, principal: Principal, name: str) -> AccountModel:
        """An account: one's own, one's group's, or anybody's for those who may."""
        need(principal, Permission.TIME_READ)
        allowance_s, at = self._room.config.default_allowance_s, self._room.now()

        def look(connection: Connection) -> AccountRow | None:
            visible(connection, principal, name)
            return accounts.find(connection, name)

        row = await self._room.store.read(look)
        if allowance_s is not None and (row is None or row.allowance_at is None):
            row = await self._room.store.write(lambda connection: open_account(connection, name, allowance_s, at))
            self._room.outbox.news(name)
        return (await self._models([row or AccountRow(name=name, created_at=at)]))[0]

    async def list(self, principal: Principal, *, limit: int = 100, after: str | None = None) -> AccountList:
        """Every account, by name; ``after`` is the last name of the page before."""
        need(principal, Permission.TIME_READ_ANY)
        limit = max(1, min(limit, MAX_PAGE))
        rows = await self._room.store.read(lambda connection: accounts.page(connection, after=after, limit=limit))
        more = rows[-1].name if len(rows) == limit else None
        return AccountList(accounts=[*await self._models(rows)], next=more)

    async def grant(self, principal: Principal, name: str, request: GrantIn) -> AccountModel:
        """Add QPU time, or with negative seconds take it back."""
        if not math.isfinite(request.seconds) or not 0 < abs(request.seconds) <= MAX_S:
            raise Rejected(
                f"A grant has a number of seconds other than 0, and at most {MAX_S:,.0f}.",
                code="bad_seconds",
                field="seconds",
            )
        return await self._change(principal, name, "grant", lambda _row: request.seconds, request.reason)

    async def set_balance(self, principal: Principal, name: str, seconds: float, reason: str = "") -> AccountModel:
        """Grant or take back what makes the balance ``seconds``, whatever it is by then."""
        if not math.isfinite(seconds) or not 0 <= seconds <= MAX_S:
            raise Rejected(f"A balance is set to 0 to {MAX_S:,.0f} seconds.", code="bad_seconds", field="seconds")
        return await self._change(principal, name, "set_balance", lambda row: seconds - row.balance_s, reason)

    async def change(self, principal: Principal, name: str, request: AccountChange) -> AccountModel:
        """Limit an account, or do not, or (null) let the lab's configuration say."""

        def act(connection: Connection, row: AccountRow, at: datetime) -> Sequence[str]:
            accounts.set_limited(connection, name, request.limited)
            _log(connection, principal, "limit", name, at, limited=request.limited)
            return []

        return await self._manage(principal, name, act)

    async def entries(
        self, principal: Principal, name: str, *, limit: int = 100, after: str | None = None
    ) -> EntryPage:
        """The lines of an account, newest first."""
        need(principal, Permission.TIME_READ)
        before, limit = cursor(after), max(1, min(limit, MAX_PAGE))

        def query(connection: Connection) -> Sequence[accounts.Line]:
            visible(connection, principal, name)
            return accounts.lines(connection, name, before=before, limit=limit)

        lines = await self._room.store.read(query)
        return EntryPage(
            entries=[_entry_model(line) for line in lines],
            next=str(lines[-1].seq) if len(lines) == limit else None,
        )

    async def statement(
        self,
        principal: Principal,
        *,
        account: str | None = None,
        person: str | None = None,
        qpu: str | None = None,
        month: str | None = None,
    ) -> Statement:
        """What was used, by month, account, person and QPU: of one's own accounts and by oneself, or of the lab."""
        need(principal, Permission.TIME_READ)
        during = None if month is None else _month(month)
        of = None if allows(principal, Permission.TIME_READ_ANY) else (own_accounts(principal), principal.name)
        if qpu is not None:
            self._room.qpu(qpu)

        def query(connection: Connection) -> Sequence[accounts.Summary]:
            if account is not None:
                visible(connection, principal, account)
            return accounts.statement(connection, of=of, account=account, person=person, qpu=qpu, during=during)

        found = await self._room.store.read(query)
        return Statement(
            lines=[
                StatementLine(
                    account=line.account,
                    person=line.person,
                    qpu=line.qpu,
                    month=line.month,
                    jobs=line.jobs,
                    used_s=line.used_s,
                    granted_s=line.granted_s,
                    refunded_s=line.refunded_s,
                )
                for line in found
            ]
        )

    async def _change(
        self, principal: Principal, name: str, action: str, amount: Callable[[AccountRow], float], reason: str
    ) -> AccountModel:
        def act(connection: Connection, row: AccountRow, at: datetime) -> Sequence[str]:
            seconds = amount(row)
            _log(connection, principal, action, name, at, seconds=seconds, reason=reason)
            return grant(connection, name, seconds, at, by=principal.name, reason=reason)

        return await self._manage(principal, name, act)

    async def _manage(
        self,
        principal: Principal,
        name: str,
        act: Callable[[Connection, AccountRow, datetime], Sequence[str]],
    ) -> AccountModel:
        """Do to an account what only managers may, and tell whom it concerns."""
        need(principal, Permission.TIME_GRANT)
        if name == principal.name:
            need(principal, Permission.TIME_GRANT_OWN, "Your own QPU time is for another manager to decide about.")
        allowance_s, at = self._room.config.default_allowance_s, self._room.now()

        def unit(connection: Connection) -> tuple[AccountRow | None, Sequence[str]]:
            visible(connection, principal, name)
            people = act(connection, open_account(connection, name, allowance_s, at), at)
            return accounts.find(connection, name), people

        row, people = await self._room.store.write(unit)
        for person in people:
            self._room.outbox.news(person)
        assert row is not None, "it was opened"
        return (await self._models([row]))[0]

    async def _models(self, rows: Sequence[AccountRow]) -> Sequence[AccountModel]:
        since = this_month(self._room.now())
        names = [row.name for row in rows]
        used = await self._room.store.read(lambda connection: accounts.used(connection, names, since))
        return [self._model(row, used.get(row.name, 0.0)) for row in rows]

    def _model(self, row: AccountRow, used_s: float) -> AccountModel:
        limited = is_limited(row.limited, self._room.config.default_allowance_s)
        return AccountModel(
            name=row.name,
            balance_s=row.balance_s,
            held_s=max(0.0, row.held_s),
            limited=limited,
            available_s=row.balance_s if limited else None,
            used_s=used_s,
        )


def grant(connection: Connection, account: str, seconds: float, at: datetime, *, by: str, reason: str) -> list[str]:
    """Post a grant, unless it is nothing; whom it concerns."""
    if seconds == 0.0:
        return []
    entry = Entry(kind=EntryKind.GRANT, account=account, amount_s=seconds, at=at, reason=reason, person=by)
    return post(connection, entry)


def own_accounts(principal: Principal) -> set[str]:
    """One's own account and those of one's groups."""
    return {principal.name, *map(group_account, principal.groups)}


def visible(connection: Connection, principal: Principal, name: str) -> None:
    """Refuse an account that is not there, or not for ``principal`` to see."""
    if name in own_accounts(principal):
        return
    if allows(principal, Permission.TIME_READ_ANY) and accounts.known(connection, name):
        return
    raise NotFound(f"There is no account {name!r}, or it is not yours to see.", code="unknown_account")


def need(principal: Principal, permission: Permission, message: str | None = None) -> None:
    """Let pass who has ``permission``."""
    if not allows(principal, permission):
        raise Forbidden(message or f"This needs the permission {permission}, which you do not have.")


def cursor(after: str | None) -> int | None:
    """The number that a page's ``next`` named."""
    if after is None:
        return None
    if not (after.isascii() and after.isdigit() and len(after) <= 18):
        raise Rejected(f"{after!r} is not a cursor of this list.", code="bad_cursor", field="after")
    return int(after)


def _month(text: str) -> tuple[datetime, datetime]:
    try:
        return month_range(text)
    except (ValueError, OverflowError) as error:
        raise Rejected(f"{text!r} is no month: write 2030-01.", code="bad_month", field="month") from error


def _log(connection: Connection, who: Principal, action: str, name: str, at: datetime, **data: object) -> None:
    row = AuditRow(at=at, who=who.name, action=f"account.{action}", subject=f"account:{name}", data=data)
    audit.add(connection, row)


def _entry_model(line: accounts.Line) -> EntryModel:
    return EntryModel(
        seq=line.seq,
        at=line.at,
        account=line.account,
        kind=line.kind,  # type: ignore[arg-type]  # one of the Literal's words
        amount_s=line.amount_s,
        person=line.person,
        qpu=line.qpu,
        job_id=line.job_id,
        attempt=line.attempt,
        reason=line.reason,
    )

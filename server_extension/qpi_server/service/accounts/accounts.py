"""QPU time: what is left, what was used, the grants of managers, and what takes it in the caller's transaction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from qpi_jupyter.core import (
    Entry,
    EntryKind,
    Forbidden,
    NotFound,
    Permission,
    Principal,
    Rejected,
    allows,
    group_account,
    group_of,
    is_limited,
    moment,
    month_range,
    overdrawn,
    this_month,
)
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
from qpi_jupyter.wire.events import AccountChanged, AccountData, BalanceChanged, BalanceData
from qpi_server.service.base import Context, Tx, cursor
from qpi_server.store import AccountRow, accounts, facts

MAX_PAGE = 500
MAX_S = 1e9


class AccountService:
    """Accounts of people and groups. Only managers change them, and nobody but an admin their own."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def get(self, principal: Principal, name: str) -> AccountModel:
        """An account: one's own, one's group's, or anybody's for those who may."""
        need(principal, Permission.TIME_READ)
        allowance_s = self._context.config.default_allowance_s

        def look(connection: Connection) -> AccountRow | None:
            visible(connection, principal, name)
            return accounts.find(connection, name)

        row = await self._context.db.read(look)
        if allowance_s is not None and (row is None or row.allowance_at is None):
            row = await self._context.db.write(lambda tx: open_account(tx, name, allowance_s))
        return (await self._models([row or AccountRow(name=name, created_at=self._context.now())]))[0]

    async def list(self, principal: Principal, *, limit: int = 100, after: str | None = None) -> AccountList:
        """Every account, by name; ``after`` is the last name of the page before."""
        need(principal, Permission.TIME_READ_ANY)
        limit = max(1, min(limit, MAX_PAGE))
        rows = await self._context.db.read(lambda connection: accounts.page(connection, after=after, limit=limit))
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

        def act(tx: Tx, row: AccountRow) -> None:
            accounts.change(tx.connection, name, limited=request.limited)
            tx.audit(principal, "account.limit", f"account:{name}", limited=request.limited)
            data = AccountData(account=name, limited=request.limited, by=principal.name)
            for person in accounts.people_of(tx.connection, name):
                tx.event(AccountChanged(at=tx.at, data=data), owner=person)

        return await self._manage(principal, name, act)

    async def entries(
        self, principal: Principal, name: str, *, limit: int = 100, after: str | None = None
    ) -> EntryPage:
        """The lines of an account, newest first."""
        need(principal, Permission.TIME_READ)
        before, limit = cursor(after), max(1, min(limit, MAX_PAGE))

        def query(connection: Connection) -> Sequence[Row[Any]]:
            visible(connection, principal, name)
            return accounts.lines(connection, name, before=before, limit=limit)

        lines = await self._context.db.read(query)
        models = [EntryModel(**line._asdict()) for line in lines]
        return EntryPage(entries=models, next=str(lines[-1].seq) if len(lines) == limit else None)

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
            self._context.qpus.get(qpu)

        def query(connection: Connection) -> Sequence[Row[Any]]:
            if account is not None:
                visible(connection, principal, account)
            return accounts.statement(connection, of=of, account=account, person=person, qpu=qpu, during=during)

        found = await self._context.db.search(principal, query, narrow="Name a month, an account, a person or a QPU.")
        return Statement(lines=[StatementLine(**line._asdict()) for line in found])

    async def _change(
        self, principal: Principal, name: str, action: str, amount: Callable[[AccountRow], float], reason: str
    ) -> AccountModel:
        def act(tx: Tx, row: AccountRow) -> None:
            seconds = amount(row)
            tx.audit(principal, f"account.{action}", f"account:{name}", seconds=seconds, reason=reason)
            grant(tx, name, seconds, by=principal.name, reason=reason)

        return await self._manage(principal, name, act)

    async def _manage(self, principal: Principal, name: str, act: Callable[[Tx, AccountRow], None]) -> AccountModel:
        """Do to an account what only managers may."""
        need(principal, Permission.TIME_GRANT)
        if name == principal.name:
            need(principal, Permission.TIME_GRANT_OWN, "Your own QPU time is for another manager to decide about.")

        def unit(tx: Tx) -> AccountRow | None:
            visible(tx.connection, principal, name)
            act(tx, open_account(tx, name, self._context.config.default_allowance_s))
            return accounts.find(tx.connection, name)

        row = await self._context.db.write(unit)
        assert row is not None, "it was opened"
        return (await self._models([row]))[0]

    async def _models(self, rows: Sequence[AccountRow]) -> Sequence[AccountModel]:
        since = this_month(self._context.now())
        names = [row.name for row in rows]
        used = await self._context.db.read(lambda connection: accounts.used(connection, names, since))
        return [self._model(row, used.get(row.name, 0.0)) for row in rows]

    def _model(self, row: AccountRow, used_s: float) -> AccountModel:
        limited = is_limited(row.limited, self._context.config.default_allowance_s)
        return AccountModel(
            name=row.name,
            balance_s=row.balance_s,
            held_s=max(0.0, round(row.held_s, 6)),  # sums of floats do not come back to 0
            limited=limited,
            available_s=row.balance_s if limited else None,
            used_s=used_s,
        )


def grant(tx: Tx, account: str, seconds: float, *, by: str, reason: str) -> None:
    """Post a grant, unless it is nothing."""
    if seconds != 0.0:
        post(tx, Entry(kind=EntryKind.GRANT, account=account, amount_s=seconds, at=tx.at, reason=reason, person=by))


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


def _month(text: str) -> tuple[datetime, datetime]:
    try:
        start_at, end_at = month_range(text)
    except (ValueError, OverflowError) as error:
        raise Rejected(f"Cannot read {text!r} as a month: write 2030-01.", code="bad_month", field="month") from error
    return moment(start_at, "month"), moment(end_at, "month")


def open_account(tx: Tx, name: str, allowance_s: float | None) -> AccountRow:
    """The account, made if need be; a person's gets the lab's default allowance, once in its life."""
    row = accounts.find(tx.connection, name) or accounts.add(tx.connection, name, tx.at)
    if allowance_s is None or row.allowance_at is not None or group_of(name) is not None:
        return row
    accounts.change(tx.connection, name, allowance_at=tx.at)
    reason = "The lab's default allowance"
    post(tx, Entry(kind=EntryKind.GRANT, account=name, amount_s=allowance_s, at=tx.at, reason=reason))
    return replace(row, balance_s=row.balance_s + allowance_s, allowance_at=tx.at)


def give_allowance(tx: Tx, name: str, seconds: float, *, by: str, reason: str) -> None:
    """A new person's QPU time instead of the lab's default allowance, and no more than that."""
    if accounts.find(tx.connection, name) is None:
        accounts.add(tx.connection, name, tx.at)
    accounts.change(tx.connection, name, allowance_at=tx.at, limited=True)
    grant(tx, name, seconds, by=by, reason=reason)


def set_aside(tx: Tx, entry: Entry, allowance_s: float | None) -> None:
    """Post a hold that the account must be able to bear.

    Raises
    ------
    Forbidden
        less is left than the hold takes; nothing of the transaction may stay.
    """
    if allowance_s is not None:
        open_account(tx, entry.account, allowance_s)
    standing = facts.add_entry(tx.connection, entry)
    if not is_limited(standing.limited, allowance_s) or not overdrawn(standing.balance_s):
        return
    estimate_s, available_s = -entry.amount_s, round(standing.balance_s - entry.amount_s, 6)
    raise Forbidden(
        f"This needs about {_seconds(estimate_s)} of QPU time, and the account {entry.account} has "
        f"{_seconds(available_s)} left. Ask a manager for more, with lab.request_time() or POST time-requests.",
        code="insufficient_qpu_time",
        estimate_s=estimate_s,
        available_s=available_s,
        account=entry.account,
    )


def post(tx: Tx, entry: Entry) -> None:
    """Post a line that is not an attempt's own, and tell whom it concerns."""
    data = BalanceData(
        account=entry.account,
        kind=entry.kind.value,
        amount_s=entry.amount_s,
        balance_s=facts.add_entry(tx.connection, entry).balance_s,
        reason=entry.reason,
        by=entry.person,
    )
    for person in accounts.people_of(tx.connection, entry.account):
        tx.event(BalanceChanged(at=entry.at, qpu=entry.qpu, data=data), owner=person)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.3g} s" if abs(seconds) < 100 else f"{seconds:,.0f} s"

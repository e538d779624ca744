"""Rows of QPU time: accounts, the ledger as people read it, statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    String,
    bindparam,
    case,
    distinct,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from qpi_jupyter.core import EntryKind, group_of

from .prepared import Prepared
from .rows import equal, one, readable, some, whole
from .schema import accounts, groups, ledger, memberships, users


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """An account; ``limited`` None: as the lab's configuration says."""

    name: str
    created_at: datetime
    balance_s: float = 0.0
    held_s: float = 0.0
    limited: bool | None = None
    allowance_at: datetime | None = None


_FIND = Prepared(select(accounts).where(accounts.c.name == bindparam("account")))
_OPEN = insert(accounts)


def find(connection: Connection, name: str) -> AccountRow | None:
    """The account, if there is one."""
    return one(_FIND.first(connection, account=name), whole(AccountRow))


def add(connection: Connection, name: str, at: datetime) -> AccountRow:
    """A new, empty account."""
    connection.execute(_OPEN, {"name": name, "created_at": at})
    return AccountRow(name=name, created_at=at)


def change(connection: Connection, name: str, **values: Any) -> None:
    """Set columns of an account (Any: each has its own type)."""
    connection.execute(update(accounts).where(accounts.c.name == name).values(**values))


def page(connection: Connection, *, after: str | None, limit: int) -> list[AccountRow]:
    """By name."""
    query = select(accounts).order_by(accounts.c.name)
    if after is not None:
        query = query.where(accounts.c.name > after)
    return some(connection, query, whole(AccountRow), limit)


def known(connection: Connection, name: str) -> bool:
    """Whether there is an account, a person or a group of that name."""
    group = group_of(name)
    owner = select(users.c.name).where(users.c.name == name)
    if group is not None:
        owner = select(groups.c.name).where(groups.c.name == group)
    return find(connection, name) is not None or connection.execute(owner).first() is not None


def people_of(connection: Connection, account: str) -> list[str]:
    """Whom an account concerns: its person, or its group's members."""
    group = group_of(account)
    if group is None:
        return [account]
    query = select(memberships.c.person).where(memberships.c.group == group).order_by(memberships.c.person)
    return list(connection.execute(query).scalars())


# The ledger


def lines(connection: Connection, account: str, *, before: int | None, limit: int) -> list[Row[Any]]:
    """Newest first; those before the line ``before``."""
    query = select(ledger).where(ledger.c.account == account)
    if before is not None:
        there = select(ledger.c.at, ledger.c.seq).where(ledger.c.seq == before, ledger.c.account == account)
        query = query.where(tuple_(ledger.c.at, ledger.c.seq) < there.scalar_subquery())
    query = query.order_by(ledger.c.at.desc(), ledger.c.seq.desc())
    return some(connection, query, readable, limit)


# Statements


class _month(FunctionElement[str]):
    """The month, ``2030-01`` in UTC, of a moment."""

    type = String()
    inherit_cache = True


@compiles(_month, "sqlite")
def _month_sqlite(element: _month, compiler: SQLCompiler, **options: Any) -> str:
    # Any: the compiler's own options, passed on.
    return f"strftime('%Y-%m', {compiler.process(element.clauses, **options)}, 'unixepoch')"


@compiles(_month, "postgresql")
def _month_postgresql(element: _month, compiler: SQLCompiler, **options: Any) -> str:
    return f"to_char(to_timestamp({compiler.process(element.clauses, **options)}) AT TIME ZONE 'UTC', 'YYYY-MM')"


_HOLD, _REFUND = ledger.alias("hold"), ledger.alias("refund")
_LINES = ledger.outerjoin(
    _HOLD,
    (ledger.c.kind == EntryKind.SETTLE)
    & (_HOLD.c.job_id == ledger.c.job_id)
    & (_HOLD.c.attempt == ledger.c.attempt)
    & (_HOLD.c.kind == EntryKind.HOLD),
).outerjoin(
    _REFUND,
    (ledger.c.kind == EntryKind.SETTLE)
    & (_REFUND.c.job_id == ledger.c.job_id)
    & (_REFUND.c.attempt == ledger.c.attempt)
    & (_REFUND.c.kind == EntryKind.REFUND),
)
"""A settle beside the other lines of its attempt: together they sum to minus what it used."""


def _total(kind: EntryKind, amount: ColumnElement[float]) -> ColumnElement[float]:
    return func.coalesce(func.sum(case((ledger.c.kind == kind, amount))), 0.0)


_NET = ledger.c.amount_s + func.coalesce(_HOLD.c.amount_s, 0.0) + func.coalesce(_REFUND.c.amount_s, 0.0)
_USED = _total(EntryKind.SETTLE, -_NET)
_MONTH = _month(ledger.c.at)
_RUNS = case(((ledger.c.kind == EntryKind.SETTLE) & (ledger.c.attempt > 0), ledger.c.job_id))
_KEYS = (_MONTH.label("month"), ledger.c.account, ledger.c.person, func.coalesce(ledger.c.qpu, "").label("qpu"))
_STATEMENT = (
    select(
        *_KEYS,
        func.count(distinct(_RUNS)).label("jobs"),
        _USED.label("used_s"),
        _total(EntryKind.GRANT, ledger.c.amount_s).label("granted_s"),
        _total(EntryKind.REFUND, ledger.c.amount_s).label("refunded_s"),
    )
    .select_from(_LINES)
    .where(ledger.c.kind != EntryKind.HOLD)
    .group_by(*_KEYS)
    .order_by(*_KEYS)
)


def statement(
    connection: Connection,
    *,
    of: tuple[Collection[str], str] | None = None,
    account: str | None = None,
    person: str | None = None,
    qpu: str | None = None,
    during: tuple[datetime, datetime] | None = None,
) -> Sequence[Row[Any]]:
    """Sums of the ledger by month, account, person and QPU: ``jobs``, ``used_s``, ``granted_s`` and ``refunded_s``.

    What an attempt used counts when it was settled.

    Parameters
    ----------
    of
        only lines of these accounts or of this person.
    during
        a half-open interval.
    """
    query = _STATEMENT.where(*equal({ledger.c.account: account, ledger.c.person: person, ledger.c.qpu: qpu}))
    if of is not None:
        query = query.where(or_(ledger.c.account.in_(sorted(of[0])), ledger.c.person == of[1]))
    if during is not None:
        query = query.where(ledger.c.at >= during[0], ledger.c.at < during[1])
        if of is None and account is None and person is None and qpu is None:
            # Every line's account has a row: so the index over accounts and times serves the whole lab, too.
            query = query.where(ledger.c.account.in_(select(accounts.c.name)))
    return connection.execute(query).all()


_USED_BY = (
    select(ledger.c.account, _USED)
    .select_from(_LINES)
    .where(
        ledger.c.account.in_(bindparam("names", expanding=True)),
        ledger.c.kind == EntryKind.SETTLE,
        ledger.c.at >= bindparam("since", type_=ledger.c.at.type),
    )
    .group_by(ledger.c.account)
)


def used(connection: Connection, names: Sequence[str], since: datetime) -> dict[str, float]:
    """QPU-seconds settled since then, by account."""
    found = connection.execute(_USED_BY, {"names": list(names), "since": since})
    return {account: float(seconds) for account, seconds in found}

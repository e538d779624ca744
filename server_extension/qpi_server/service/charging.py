"""Takes QPU time from accounts and gives it to them, in the caller's transaction."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from qpi_jupyter.core.accounting import Entry, EntryKind, group_of, is_limited, overdrawn
from qpi_jupyter.core.errors import Forbidden
from qpi_jupyter.wire.events import EventName
from qpi_server.store import accounts, facts
from qpi_server.store.accounts import AccountRow
from qpi_server.store.facts import EventRow


def open_account(connection: Connection, name: str, allowance_s: float | None, at: datetime) -> AccountRow:
    """The account, made if need be; a person's gets the lab's default allowance, once in its life."""
    row = accounts.find(connection, name) or accounts.add(connection, name, at)
    if allowance_s is None or row.allowance_at is not None or group_of(name) is not None:
        return row
    accounts.mark_allowance(connection, name, at)
    entry = Entry(kind=EntryKind.GRANT, account=name, amount_s=allowance_s, at=at, reason="The lab's default allowance")
    post(connection, entry)
    return replace(row, balance_s=row.balance_s + allowance_s, allowance_at=at)


def set_aside(connection: Connection, entry: Entry, allowance_s: float | None) -> None:
    """Post a hold that the account must be able to bear.

    Raises
    ------
    Forbidden
        less is left than the hold takes; nothing of the transaction may stay.
    """
    if allowance_s is not None:
        open_account(connection, entry.account, allowance_s, entry.at)
    standing = facts.add_entry(connection, entry)
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


def post(connection: Connection, entry: Entry) -> list[str]:
    """Post a line that is not an attempt's own, tell whom it concerns, and return who that is."""
    balance_s = facts.add_entry(connection, entry).balance_s
    people = accounts.people_of(connection, entry.account)
    data = {
        "account": entry.account,
        "kind": entry.kind.value,
        "amount_s": entry.amount_s,
        "balance_s": balance_s,
        "reason": entry.reason,
        "by": entry.person,
    }
    for person in people:
        event = EventRow(kind=EventName.BALANCE_CHANGED, at=entry.at, owner=person, qpu=entry.qpu, data=data)
        facts.add_event(connection, event)
    return people


def _seconds(seconds: float) -> str:
    return f"{seconds:,.3g} s" if abs(seconds) < 100 else f"{seconds:,.0f} s"

"""QPU-seconds: an append-only ledger whose balances are sums of entries.

Every attempt has its own entries, each kind at most once::

    hold    -h        before the attempt: the estimate is set aside
    settle  +h - b    after it: the hold comes back, b busy seconds are charged
    refund  +h        instead: the lab was at fault, or it never ran

A result that arrives after its attempt was refunded settles at ``-b``. So an attempt sums to ``-b`` or to 0.
Accounts are named by the person (``ann``) or by the group (``group:qed``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

GROUP = "group:"
ROUNDING_S = 1e-6
"""What sums of floats may be off by (seconds)."""


class EntryKind(StrEnum):
    GRANT = "grant"
    HOLD = "hold"
    SETTLE = "settle"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the ledger; ``amount_s`` is signed QPU-seconds."""

    kind: EntryKind
    account: str
    amount_s: float
    at: datetime
    qpu: str | None = None
    job_id: str | None = None
    attempt: int | None = None
    reason: str = ""
    person: str = ""
    """Who used it, or granted it."""


def held(entries: Iterable[Entry], attempt: int) -> float:
    """The seconds still set aside for ``attempt``: 0 once it was settled or refunded."""
    mine = [e for e in entries if e.attempt == attempt]
    if any(e.kind in (EntryKind.SETTLE, EntryKind.REFUND) for e in mine):
        return 0.0
    return -sum(e.amount_s for e in mine if e.kind is EntryKind.HOLD)


def hold(entries: Iterable[Entry], *, like: Entry) -> Entry | None:
    """``like`` as a hold, or None if the attempt already has one."""
    return None if _has(entries, like.attempt, EntryKind.HOLD) else like


def settle(entries: Iterable[Entry], *, attempt: int, busy_s: float) -> float | None:
    """The amount that settles ``attempt`` at ``busy_s``, or None if it was settled before."""
    entries = list(entries)
    if _has(entries, attempt, EntryKind.SETTLE):
        return None
    return held(entries, attempt) - max(0.0, busy_s)


def refund(entries: Iterable[Entry], *, attempt: int) -> float | None:
    """The amount that gives the hold of ``attempt`` back, or None if nothing is held."""
    entries = list(entries)
    if not _has(entries, attempt, EntryKind.HOLD):
        return None
    if _has(entries, attempt, EntryKind.SETTLE) or _has(entries, attempt, EntryKind.REFUND):
        return None
    return held(entries, attempt)


def group_account(group: str) -> str:
    """The name of a group's account."""
    return GROUP + group


def group_of(account: str) -> str | None:
    """The group whose account it is; None for a person's."""
    return account.removeprefix(GROUP) if account.startswith(GROUP) else None


def is_limited(own: bool | None, default_allowance_s: float | None) -> bool:
    """Whether an account may run out: as it says itself, else where the lab gives allowances."""
    return default_allowance_s is not None if own is None else own


def overdrawn(balance_s: float) -> bool:
    """Whether less than nothing is left."""
    return balance_s < -ROUNDING_S


def month_range(month: str) -> tuple[datetime, datetime]:
    """The half-open interval of a month, ``2030-01``, in UTC.

    Raises
    ------
    ValueError
        it is no month.
    """
    if re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", month) is None:
        raise ValueError(f"{month!r} is no month")
    start = datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)
    return start, next_month(start)


def next_month(at: datetime) -> datetime:
    """The first moment of the month after ``at``'s."""
    return this_month(this_month(at) + timedelta(days=31))


def this_month(at: datetime) -> datetime:
    """The first moment of ``at``'s month."""
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def balance(entries: Iterable[Entry]) -> float:
    """What is left (seconds)."""
    return sum(e.amount_s for e in entries)


def _has(entries: Iterable[Entry], attempt: int | None, kind: EntryKind) -> bool:
    return any(e.attempt == attempt and e.kind is kind for e in entries)

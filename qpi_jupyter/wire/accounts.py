"""QPU time: balances, ledger lines, statements and requests, as the native surface sends them. Seconds throughout."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from .rest import Answer, Label, Request

Kind = Literal["grant", "hold", "settle", "refund"]
RequestStatus = Literal["pending", "approved", "rejected", "withdrawn"]
_Reason = Annotated[str, Meta(max_length=2000)]


class AccountModel(Answer):
    """An account: a person's, or ``group:`` and a group's. ``available_s`` is None where it is unlimited."""

    name: str
    balance_s: float
    held_s: float
    limited: bool
    available_s: float | None
    used_s: float = 0.0
    """Settled in the current month (UTC)."""


class AccountList(Answer):
    accounts: list[AccountModel]
    next: str | None = None


class GrantIn(Request):
    """``POST accounts/{name}/grants``: QPU-seconds to add; negative ones take back."""

    seconds: Annotated[float, Meta(ge=-1e9, le=1e9)]
    reason: _Reason = ""


class AccountChange(Request):
    """``PATCH accounts/{name}``: limited, unlimited, or (null) as the lab's configuration says."""

    limited: bool | None


class LedgerLine(Answer):
    """What was taken from an account, or given to it."""

    account: str
    kind: Kind
    amount_s: float


class EntryModel(LedgerLine, kw_only=True):
    """One line of the ledger."""

    seq: int
    at: datetime
    person: str = ""
    qpu: str | None = None
    job_id: str | None = None
    attempt: int | None = None
    reason: str = ""


class EntryPage(Answer):
    """Newest first; ``next`` goes into ``?after=``."""

    entries: list[EntryModel]
    next: str | None = None


class StatementLine(Answer):
    """What an account's people used on a QPU in a month (``2030-01``, UTC)."""

    account: str
    person: str
    qpu: str
    month: str
    jobs: int
    used_s: float
    granted_s: float
    refunded_s: float


class Statement(Answer):
    lines: list[StatementLine]


class TimeRequestIn(Request):
    """``POST time-requests``: ask for QPU-seconds, for oneself or for a group one belongs to."""

    seconds: Annotated[float, Meta(gt=0, le=1e9)]
    reason: _Reason = ""
    group: Label | None = None


class TimeRequestAnswer(Request):
    """``POST time-requests/{id}/answer``, by a manager; ``seconds`` grants another amount than was asked for."""

    status: Literal["approved", "rejected"]
    reason: _Reason = ""
    seconds: Annotated[float, Meta(gt=0, le=1e9)] | None = None


class TimeRequestModel(Answer):
    id: str
    person: str
    account: str
    seconds: float
    reason: str
    status: RequestStatus
    answer: str
    granted_s: float | None
    created_at: datetime
    handled_by: str | None = None
    handled_at: datetime | None = None


class TimeRequestList(Answer):
    requests: list[TimeRequestModel]
    next: str | None = None

"""Posts what a lifecycle step asks for, the way the service does: through `qpi_jupyter.core.accounting`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from qpi_jupyter.core import accounting
from qpi_jupyter.core.accounting import Entry, EntryKind
from qpi_jupyter.core.lifecycle import Effect, EffectKind

HOLD_S = 3.0
BUSY_S = 2.0
AT = datetime(2030, 1, 1, tzinfo=UTC)

Entries = tuple[Entry, ...]


def entry(kind: EntryKind, attempt: int, amount_s: float) -> Entry:
    return Entry(kind=kind, account="ada", amount_s=amount_s, at=AT, attempt=attempt)


def post(entries: Entries, effects: Iterable[Effect]) -> Entries:
    """The ledger after ``effects``."""
    for effect in effects:
        n = effect.attempt
        if effect.kind is EffectKind.HOLD:
            new = accounting.hold(entries, like=entry(EntryKind.HOLD, n, -HOLD_S))
            entries += () if new is None else (new,)
        elif effect.kind is EffectKind.SETTLE:
            amount = accounting.settle(entries, attempt=n, busy_s=effect.data["busy_s"])
            entries += () if amount is None else (entry(EntryKind.SETTLE, n, amount),)
        elif effect.kind is EffectKind.REFUND:
            amount = accounting.refund(entries, attempt=n)
            entries += () if amount is None else (entry(EntryKind.REFUND, n, amount),)
    return entries


def opening() -> Entries:
    """What a submit posts: the hold of the first attempt."""
    return post((), [Effect(kind=EffectKind.HOLD, attempt=1)])


def sums(entries: Entries) -> dict[int, float]:
    """The sum of every attempt."""
    total: dict[int, float] = {}
    for line in entries:
        assert line.attempt is not None
        total[line.attempt] = total.get(line.attempt, 0.0) + line.amount_s
    return total


def flaw(entries: Entries, *, final: bool, charges: int = 1) -> str | None:
    """What is wrong with a job's ledger, if anything; so many attempts may be charged."""
    if max(Counter((line.kind, line.attempt) for line in entries).values(), default=0) > 1:
        return "an attempt has two entries of one kind"
    if sum(line.kind is EntryKind.SETTLE for line in entries) > charges:
        return "a job was charged too often"
    open_holds = [n for n, total in sums(entries).items() if total == -HOLD_S]
    if len(open_holds) > (0 if final else 1):
        return "a hold was left behind"
    if any(total not in (0.0, -BUSY_S, -HOLD_S) for total in sums(entries).values()):
        return "an attempt sums to something else than 0 or what it used"
    return None

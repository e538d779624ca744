"""The ledger's rows: accounts follow their lines, and statements add up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from qpi_jupyter.core import accounting
from qpi_jupyter.core.accounting import Entry, EntryKind, month_range
from qpi_server.store import Store, accounts, facts
from tests.support import stores

NOW = datetime(2030, 1, 1, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("each_store")


def with_store(path: Path, *units: Callable[[Connection], Any]) -> Any:
    """What the last unit returns."""

    async def dialogue(store: Store) -> Any:
        return [await store.write(unit) for unit in units][-1]

    return stores.with_store(path, dialogue)


ATTEMPT = st.fixed_dictionaries(
    {
        "account": st.sampled_from(["ann", "bob", "group:qed"]),
        "person": st.sampled_from(["ann", "bob"]),
        "qpu": st.sampled_from(["q1", "q2"]),
        "job_id": st.sampled_from(["j1", "j2", "j3"]),
        "begun_s": st.integers(0, 100 * 86_400),
        "lasted_s": st.integers(0, 40 * 86_400),
        "held_s": st.floats(0, 1e4),
        "busy_s": st.floats(0, 1e4),
        "ends": st.sampled_from([(), ("settle",), ("refund",), ("refund", "settle")]),
    }
)

GRANT = st.tuples(st.sampled_from(["ann", "bob", "group:qed"]), st.integers(0, 100 * 86_400), st.floats(-1e4, 1e4))


def attempt_lines(number: int, spec: dict[str, Any]) -> list[Entry]:
    """The lines of an attempt, by the rules of `core.accounting`."""
    at = NOW + timedelta(seconds=spec["begun_s"])
    hold = Entry(
        kind=EntryKind.HOLD,
        account=spec["account"],
        person=spec["person"],
        qpu=spec["qpu"],
        job_id=spec["job_id"],
        attempt=number,
        amount_s=-spec["held_s"],
        at=at,
    )
    lines = [hold]
    for kind in spec["ends"]:
        at += timedelta(seconds=spec["lasted_s"])
        if kind == "refund":
            amount = accounting.refund(lines, attempt=number)
        else:
            amount = accounting.settle(lines, attempt=number, busy_s=spec["busy_s"])
        assert amount is not None
        lines.append(replace(hold, kind=EntryKind(kind), amount_s=amount, at=at))
    return lines


@settings(deadline=None, max_examples=settings().max_examples * 2 // 5)
@given(st.lists(ATTEMPT, max_size=20), st.lists(GRANT, max_size=6), st.sampled_from([None, "2030-01", "2030-03"]))
def test_a_statement_is_the_brute_force_sum(
    attempts: list[dict[str, Any]], grants: list[tuple[str, int, float]], month: str | None
) -> None:
    expected: dict[tuple[str, str, str, str], list[Any]] = defaultdict(lambda: [set(), 0.0, 0.0, 0.0])
    balances: dict[str, float] = defaultdict(float)
    held: dict[str, float] = defaultdict(float)

    def write(connection: Connection) -> None:
        for number, spec in enumerate(attempts, 1):
            lines: list[Entry] = []
            for entry in attempt_lines(number, spec):
                facts.add_entry(connection, entry)
                lines.append(entry)
                balances[entry.account] += entry.amount_s
                key = (f"{entry.at:%Y-%m}", entry.account, entry.person, entry.qpu or "")
                if entry.kind is EntryKind.SETTLE:
                    expected[key][0].add(entry.job_id)
                    expected[key][1] += spec["busy_s"]
                elif entry.kind is EntryKind.REFUND:
                    expected[key][3] += entry.amount_s
            held[spec["account"]] += accounting.held(lines, number)
        for account, begun_s, seconds in grants:
            at = NOW + timedelta(seconds=begun_s)
            entry = Entry(kind=EntryKind.GRANT, account=account, amount_s=seconds, at=at, person="boss")
            facts.add_entry(connection, entry)
            balances[account] += seconds
            expected[f"{at:%Y-%m}", account, "boss", ""][2] += seconds

    def read(connection: Connection) -> tuple[list[accounts.Summary], list[accounts.AccountRow], dict[str, float]]:
        during = None if month is None else month_range(month)
        found = accounts.statement(connection, during=during)
        used = accounts.used(connection, ["ann", "bob", "group:qed"], month_range("2030-02")[0])
        return found, accounts.page(connection, after=None, limit=10), used

    with TemporaryDirectory() as folder:
        found, rows, used = with_store(Path(folder), write, read)
    got = {(s.month, s.account, s.person, s.qpu): (s.jobs, s.used_s, s.granted_s, s.refunded_s) for s in found}
    wanted = {key: (len(v[0]), *v[1:]) for key, v in expected.items() if month in (None, key[0])}
    assert got.keys() == wanted.keys()
    for key, figures in wanted.items():
        assert got[key] == pytest.approx(figures, abs=1e-6), key
    assert {row.name: row.balance_s for row in rows} == pytest.approx(dict(balances), abs=1e-6)
    assert {row.name: row.held_s for row in rows} == pytest.approx({n: held[n] for n in balances}, abs=1e-6)
    since = {name: sum(v[1] for key, v in expected.items() if key[1] == name and key[0] > "2030-01") for name in used}
    assert used == pytest.approx(since, abs=1e-6)


def test_a_statement_can_be_narrowed(tmp_path: Path) -> None:
    def write(connection: Connection) -> None:
        number = 0
        for account in ("ann", "group:qed"):
            for person in ("ann", "bob"):
                for qpu in ("q1", "q2"):
                    number += 1
                    entry = Entry(
                        kind=EntryKind.SETTLE, account=account, person=person, qpu=qpu, amount_s=-number, at=NOW,
                        job_id="j", attempt=number,
                    )  # fmt: skip
                    facts.add_entry(connection, entry)

    def read(connection: Connection) -> list[float]:
        def total(**narrow: Any) -> float:
            return sum(line.used_s for line in accounts.statement(connection, **narrow))

        return [
            total(),
            total(account="ann"),
            total(person="bob"),
            total(qpu="q2"),
            total(account="group:qed", person="ann", qpu="q1"),
            total(of=({"ann"}, "bob")),
            total(during=month_range("2029-12")),
        ]

    assert with_store(tmp_path, write, read) == [36, 10, 22, 20, 5, 10 + 7 + 8, 0]


def test_lines_come_newest_first_page_after_page(tmp_path: Path) -> None:
    def write(connection: Connection) -> None:
        for number in range(10):
            at = NOW + timedelta(seconds=number // 3)  # several at the same moment
            for account in ("ann", "bob"):
                entry = Entry(kind=EntryKind.GRANT, account=account, amount_s=number, at=at)
                facts.add_entry(connection, entry)

    def read(connection: Connection) -> list[float]:
        found: list[float] = []
        before = None
        while page := accounts.lines(connection, "ann", before=before, limit=3):
            found += [line.amount_s for line in page]
            before = page[-1].seq
        assert accounts.lines(connection, "bob", before=before, limit=3) == []  # a cursor of another account
        return found

    assert with_store(tmp_path, write, read) == list(range(9, -1, -1))

"""What reading costs: counted in steps of SQLite's machine, and read off its plans."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, update

from qpi_jupyter.core.accounting import month_range
from qpi_jupyter.core.jobs import JobState
from qpi_jupyter.core.planner import next_job
from qpi_server.store import accounts, jobs, schema
from qpi_server.store.search import Search, page
from tests.contract.test_search import job_row, searches, second_qpu
from tests.contract.test_view import NOW, add_booking, add_job, pick, with_store
from tests.support import stores


def steps(work: Callable[[Connection], Any]) -> Callable[[Connection], int]:
    """How many steps SQLite's machine needs for ``work``, in tens."""

    def count(connection: Connection) -> int:
        driver = connection.connection.driver_connection
        assert driver is not None
        taken = 0

        def tick() -> int:
            nonlocal taken
            taken += 1
            return 0

        driver.set_progress_handler(tick, 10)
        work(connection)
        driver.set_progress_handler(None, 0)
        return taken

    return count


def test_a_long_queue_of_others_costs_a_pick_nothing(tmp_path: Path) -> None:
    def others(connection: Connection) -> None:
        for number in range(5_000):
            add_job(connection, number, f"user{number % 50}", priority=number % 3)

    def mine(connection: Connection) -> None:
        add_job(connection, 0, "ann", priority=10)

    def look(connection: Connection) -> tuple[str, int]:
        job = next_job(pick(connection), NOW)
        assert job is not None
        return job.owner, steps(pick)(connection)

    (tmp_path / "short").mkdir()
    (tmp_path / "long").mkdir()
    owner, short = with_store(tmp_path / "short", mine, look=look)
    assert owner == "ann"
    owner, long = with_store(tmp_path / "long", others, mine, look=look)
    assert owner == "ann"
    assert long <= 2 * short


def test_a_booking_costs_a_pick_the_same_behind_a_long_history(tmp_path: Path) -> None:
    def book(connection: Connection) -> None:
        add_booking(connection, "ann", NOW - timedelta(hours=1), NOW + timedelta(hours=1))
        add_job(connection, 0, "bob", upper_s=1.0)

    def history(connection: Connection) -> None:
        for number in range(3_000):
            add_job(connection, number, "ann", state=JobState.COMPLETED)
            day = NOW - timedelta(days=1 + number)
            add_booking(connection, "ann", day, day + timedelta(hours=1), status=("booked", "released")[number % 2])
        connection.execute(update(schema.jobs).values(ended_at=NOW - timedelta(days=1)))

    costs = []
    for name, units in (("short", (book,)), ("long", (history, book))):
        (tmp_path / name).mkdir()
        costs.append(with_store(tmp_path / name, *units, look=steps(pick)))
    assert costs[1] <= 2 * costs[0]


@pytest.mark.slow
def test_no_search_looks_at_more_than_a_page_is_worth(tmp_path: Path) -> None:
    def fill(count: int) -> Any:
        def unit(connection: Connection) -> None:
            pick = random.Random(3)
            for number in range(count):
                row = job_row(number, pick)
                jobs.add(connection, replace(row, labels={**row.labels, "name": "same", "tags": []}), b"{}")

        return unit

    def look(connection: Connection) -> dict[Search, int]:
        rare = [replace(search, name="nobody calls it so") for search in searches()[::9]]
        return {s: steps(lambda c, s=s: page(c, s, before=None, limit=20))(connection) for s in (*searches(), *rare)}

    counts = []
    for number in (8_000, 24_000):
        (tmp_path / str(number)).mkdir()
        counts.append(with_store(tmp_path / str(number), second_qpu, fill(number), look=look))
    few, many = counts
    # A search that found its page early, or its end, in the short list may look at one more stretch of the long one.
    worst = max(few.values())
    assert {search: count for search, count in many.items() if count > max(2 * few[search], 1.5 * worst)} == {}


@pytest.mark.parametrize(
    ("narrow", "index"),
    [
        ({"account": "ann"}, "ix_ledger_account_at"),
        ({"person": "ann"}, "ix_ledger_person_at"),
        ({"qpu": "q1"}, "ix_ledger_qpu_at"),
        ({"during": month_range("2030-01")}, "ix_ledger_account_at"),
        ({"of": ({"ann", "group:qed"}, "ann")}, "ix_ledger_account_at"),
    ],
)
def test_a_statement_reads_an_index(tmp_path: Path, narrow: dict[str, Any], index: str) -> None:
    def plan(connection: Connection) -> list[str]:
        asked: list[tuple[str, Any]] = []

        def note(_c: Any, _cursor: Any, sql: str, parameters: Any, _context: Any, _many: bool) -> None:
            asked.append((sql, parameters))

        event.listen(connection, "before_cursor_execute", note)
        accounts.statement(connection, **narrow)
        event.remove(connection, "before_cursor_execute", note)
        [(sql, parameters)] = asked
        return [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)]

    found = stores.with_store(tmp_path, lambda store: store.read(plan))
    assert any(index in step for step in found)
    assert not any(step.startswith("SCAN ledger") for step in found)

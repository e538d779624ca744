"""Lists of jobs in every order: all pages together have each job once, in its place."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import Connection

from qpi_jupyter.core.errors import Rejected
from qpi_jupyter.core.jobs import JobState
from qpi_server.store import jobs, removal
from qpi_server.store.jobs import JobRecord
from qpi_server.store.search import Search
from qpi_server.store.sorting import Order, Sort, sorted_page
from tests.contract.test_search import job_row, second_qpu, wanted
from tests.contract.test_view import NOW, with_store

pytestmark = pytest.mark.usefixtures("each_store")


def place(row: JobRecord, order: Order) -> Any:
    """Where a job stands, said plainly."""
    key = {
        "submitted": row.job.seq, "state": list(JobState).index(row.job.state), "name": row.name.lower()[:100],
        "qpu": row.job.qpu or "", "owner": row.job.owner, "shots": row.shots,
        "busy": -1.0 if row.busy_s is None else row.busy_s,
    }  # fmt: skip
    return key[order.by]


def test_every_order_has_every_job_once_over_all_its_pages(tmp_path: Path) -> None:
    rows: list[JobRecord] = []

    def fill(connection: Connection) -> None:
        pick = random.Random(5)
        for number in range(150):
            name = pick.choice(("", "Rabi", "rabi b", "T1_scan", "~", "x" * 150 + str(number)))
            row = job_row(number, pick)
            row = replace(row, labels={**row.labels, "name": name}, shots=pick.choice((1, 20, 100)))
            rows.append(replace(row, job=row.job.with_(seq=jobs.add(connection, row, b"{}"))))
        removal.delete_job(connection, rows.pop(next(n for n, row in enumerate(rows) if row.job.state.final)), NOW)

    def look(connection: Connection) -> None:
        orders = [Order(by=by, descending=down) for by in get_args(Sort) for down in (False, True)]
        for order, search in itertools.product(orders, (Search(), Search(owner="ann"), Search(name="rabi"))):
            expected = sorted((row for row in rows if wanted(search, row)), key=lambda row: -row.job.seq)
            expected.sort(key=lambda row: place(row, order), reverse=order.descending)
            found: list[str] = []
            after: str | None = None
            while True:
                records, after = sorted_page(connection, search, order, after=after, limit=37)
                found += [row.id for row in records]
                if after is None:
                    break
            assert found == [row.id for row in expected], order

    with_store(tmp_path, second_qpu, fill, look=look)


def test_a_cursor_of_another_order_is_refused(tmp_path: Path) -> None:
    def look(connection: Connection) -> None:
        for cursor in ("7", "x~1", "7~many"):
            with pytest.raises(Rejected):
                sorted_page(connection, Search(), Order(by="shots"), after=cursor, limit=3)

    with_store(tmp_path, look=look)

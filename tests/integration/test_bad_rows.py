"""Rows that nobody could have written through the lab: it starts, lists what is there, and lets them be mended."""

from __future__ import annotations

import asyncio
import math
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import JSON, Column, Table

from qpi_server.store import DATABASE
from qpi_server.store.schema import Moment, metadata
from qpi_server.web import ROUTES
from tests.faults.lab import FrozenClock, open_lab, small_lab
from tests.support.full_lab import furnish
from tests.support.walk import address_of
from tests.support.web import SECRET, serving

pytestmark = pytest.mark.slow

Lab = tuple[Path, dict[str, str]]
Bad = tuple[Table, Column[Any], Any]
"""A column, and what stands in it."""
BAD_TIMES: list[Any] = [
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp() + 86_340, -62_135_683_140.0, 1e300, math.inf, "soon",
    b"\x00", -math.inf, 2**62,
]  # fmt: skip
COLUMNS = [(table, column) for table in metadata.sorted_tables for column in table.columns]
TIMES = [pair for pair in COLUMNS if isinstance(pair[1].type, Moment)]
HIDING = {"deleted_at", "revoked_at", "closed_at", "suspended_at"}
"""Whose rows are listed no more."""
JSON_ = [(pair, text) for pair in COLUMNS if isinstance(pair[1].type, JSON) for text in ('{"', "7")]
WORDS = [pair for pair in COLUMNS if pair[1].name in ("state", "status", "mode", "kind", "retry", "format")]
BAD: list[Bad] = [
    *((*pair, BAD_TIMES[n % len(BAD_TIMES)]) for n, pair in enumerate(TIMES)),
    *((*pair, text) for pair, text in JSON_),
    *((*pair, "nonsense") for pair in WORDS),
]
ROUNDS = [
    [bad for bad in row if bad is not None]
    for row in zip_longest(*([bad for bad in BAD if bad[0] is table] for table in metadata.sorted_tables))
]
"""One bad column of each table at a time, so that no damage of a row hides another one of it."""
ROWLESS = {"/qpi/v1/executors"}
"""What is asked of another process, of which nothing stands in a row."""


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The folder of a lab with one of everything."""
    folder = tmp_path_factory.mktemp("furnished")

    async def run() -> dict[str, str]:
        async with small_lab(folder, clock=FrozenClock()) as (lab, driver):
            return await furnish(lab, driver)

    return folder, asyncio.run(run())


def spoil(folder: Path, table: Table, column: Column[Any], value: Any, *, rows: str = "") -> int:
    with closing(sqlite3.connect(folder / DATABASE, isolation_level=None)) as connection:
        return connection.execute(f'UPDATE "{table.name}" SET "{column.name}" = ? {rows}', (value,)).rowcount


async def look_at_everything(folder: Path, names: dict[str, str]) -> dict[str, str]:
    """Start the lab, and ask for all there is to see: what failed."""
    async with open_lab(folder, clock=FrozenClock()) as lab, serving(lab) as url:
        headers = {"Authorization": f"Bearer {SECRET}"}
        async with httpx.AsyncClient(
            base_url=url, headers=headers, trust_env=False, verify=False, timeout=60
        ) as client:
            answers = {
                route.path: await client.get(address_of(route, names))
                for route in ROUTES
                if route.method == "GET" and not route.waits and route.path not in ROWLESS
            }
    failed = {path: f"{a.status_code} {a.text}" for path, a in answers.items() if a.status_code >= 500}
    # Whoever asks for the damaged row itself is told so.
    return {path: text for path, text in failed.items() if "{" not in path or "is damaged" not in text}


def with_bad_rows(furnished: Lab, folder: Path, bads: list[Bad]) -> dict[str, str]:
    """What fails in a copy of the lab at ``folder`` whose newest row of each table is bad as ``bads`` say."""
    shutil.copytree(furnished[0], folder)
    for table, column, bad in bads:
        newest = f'WHERE rowid = (SELECT max(rowid) FROM "{table.name}")'
        assert spoil(folder, table, column, bad, rows=newest)
    return asyncio.run(look_at_everything(folder, furnished[1]))


def test_nothing_is_amiss_with_the_lab_itself(furnished: Lab, tmp_path: Path) -> None:
    folder, names = furnished
    with closing(sqlite3.connect(folder / DATABASE)) as connection:
        for table in metadata.sorted_tables:
            assert connection.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0], f"{table} is empty"
    shutil.copytree(folder, tmp_path / "lab")
    assert asyncio.run(look_at_everything(tmp_path / "lab", names)) == {}


@pytest.mark.parametrize("bad", BAD_TIMES)
def test_times_beyond_the_calendar_stop_neither_the_start_nor_a_list(furnished: Lab, tmp_path: Path, bad: Any) -> None:
    folder, names = furnished
    shutil.copytree(folder, tmp_path / "lab")
    for table, column in TIMES:
        if column.name not in HIDING:
            spoil(tmp_path / "lab", table, column, bad)
    assert asyncio.run(look_at_everything(tmp_path / "lab", names)) == {}


@pytest.mark.parametrize("round_", range(len(ROUNDS)))
def test_a_bad_column_in_each_table_stops_neither_the_start_nor_a_list(
    furnished: Lab, tmp_path: Path, round_: int
) -> None:
    failed = with_bad_rows(furnished, tmp_path / "lab", ROUNDS[round_])
    each = ROUNDS[round_] if failed else []  # what one of them does by itself is said, if they failed together
    alone = {f"{bad[1]} = {bad[2]!r}": with_bad_rows(furnished, tmp_path / str(n), [bad]) for n, bad in enumerate(each)}
    assert failed == {}, {bad: failures for bad, failures in alone.items() if failures}

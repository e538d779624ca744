"""How long a free place waits for the planner, with an empty queue and with a million jobs of others in it."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, BOB, ScriptedDriver, bell, driver_of, open_lab

from .harness import Figure

OTHERS = 1_000_000
_QUIET: dict[str, Any] = {"lease_s": 3600.0}  # the scripted drivers send no heartbeats


def run(*, quick: bool) -> Iterator[Figure]:
    """One claim's time, both labs in turn; the submitter's priority is the highest."""
    with tempfile.TemporaryDirectory(prefix="qpi-pick-") as folder:
        empty, full = asyncio.run(_measure(Path(folder), rounds=100 if quick else 400))
    ours, bare = (1e3 * statistics.median(side) for side in (full, empty))
    yield Figure(
        name=f"pick time with {OTHERS:,} jobs of others queued",
        ratio=ours / bare,
        goal=1.5,
        ours=ours,
        bare=bare,
        unit=" ms",
    )


async def _measure(folder: Path, *, rounds: int) -> tuple[list[float], list[float]]:
    async with open_lab(folder / "empty", **_QUIET) as small, open_lab(folder / "full", **_QUIET) as large:
        drivers = [await _ready(small), await _ready(large)]
        await _fill(large, folder / "full" / "lab.sqlite3")
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(rounds):
            for lab, driver, side in zip((small, large), drivers, times, strict=True):
                mine, _created = await lab.jobs.submit(ADMIN, bell(priority=10))
                began = time.perf_counter()
                job = await driver.claim()
                side.append(time.perf_counter() - began)
                assert job.job_id == mine.id, "the planner picked somebody else's job"
                await driver.started(job)
                await driver.deliver(job)
        return times[0][rounds // 10 :], times[1][rounds // 10 :]


async def _ready(lab: Lab) -> ScriptedDriver:
    await lab.qpus.create(ADMIN, QpuIn(name="q1"))
    driver = await driver_of(lab, "q1", "d1")
    await driver.connect()
    return driver


async def _fill(lab: Lab, database: Path) -> None:
    """Copy one queued job of somebody else's until there are `OTHERS`."""
    await lab.jobs.submit(BOB, bell())
    with closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]
        changed = {"id": "'job-' || n", "seq": "(SELECT max(seq) FROM jobs) + n", "owner": "'user' || (n % 50)"}
        values = ", ".join(changed.get(name, name) for name in columns)
        connection.execute(
            f"WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {OTHERS}) "
            f"INSERT INTO jobs ({', '.join(columns)}) SELECT {values} FROM jobs, many WHERE jobs.owner = 'bob'"
        )
        connection.execute("UPDATE qpus SET queued = queued + ?", (OTHERS,))

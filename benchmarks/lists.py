"""Whether a lab gets slower as its history grows: the pick, and the pages of the list of jobs."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing
from pathlib import Path

from qpi_jupyter.wire.jobs import JobPage
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, ScriptedDriver, bell, driver_of, open_lab

from .harness import Figure

SIZES, QUICK_SIZES = (10, 10_000, 1_000_000), (10, 1_000, 50_000)
PAGE = 10
"""As many jobs as the smallest lab has, so that every page holds the same."""
GOAL, PICK_GOAL = 2, 1.5

Searches = dict[str, Callable[[Lab, str], Awaitable[JobPage]]]
SEARCHES: Searches = {
    "own newest": lambda lab, _: lab.jobs.list(ANN, limit=PAGE),
    "everybody's newest": lambda lab, _: lab.jobs.list(ADMIN, limit=PAGE, mine=False),
    "own in the middle": lambda lab, middle: lab.jobs.list(ANN, limit=PAGE, after=middle),
    "own completed": lambda lab, _: lab.jobs.list(ANN, limit=PAGE, status="completed"),
    "by tag": lambda lab, _: lab.jobs.list(ADMIN, limit=PAGE, mine=False, tag=["cal"]),
    "by project and name": lambda lab, _: lab.jobs.list(ADMIN, limit=PAGE, mine=False, project="t1", name="rabi"),
    "of a QPU": lambda lab, _: lab.jobs.list(ADMIN, limit=PAGE, mine=False, qpu="q1"),
}


def run(*, quick: bool) -> Iterator[Figure]:
    """Medians in labs of three sizes, asked in turn."""
    sizes = QUICK_SIZES if quick else SIZES
    with tempfile.TemporaryDirectory(prefix="qpi-lists-") as folder:
        times = asyncio.run(_measure(Path(folder), sizes, rounds=60 if quick else 150))
    for name, by_size in times.items():
        small, *larger = (1e3 * statistics.median(by_size[size]) for size in sizes)
        for size, ours in zip(sizes[1:], larger, strict=True):
            yield Figure(
                name=f"{name}, {size:,} jobs against {sizes[0]}", ratio=ours / small,
                goal=PICK_GOAL if name == "pick" else GOAL, ours=ours, bare=small, unit=" ms",
            )  # fmt: skip


async def _measure(folder: Path, sizes: tuple[int, ...], *, rounds: int) -> dict[str, dict[int, list[float]]]:
    names = ("pick", *(f"page: {name}" for name in SEARCHES))
    times: dict[str, dict[int, list[float]]] = {name: {size: [] for size in sizes} for name in names}
    async with AsyncExitStack() as stack:
        labs = {size: await _ready(stack, folder / str(size), size) for size in sizes}
        for _ in range(rounds):
            for size, (lab, _driver) in labs.items():
                for name, search in SEARCHES.items():
                    began = time.perf_counter()
                    page = await search(lab, str(max(PAGE + 1, size // 2)))
                    times[f"page: {name}"][size].append(time.perf_counter() - began)
                    assert len(page.jobs) == PAGE, f"{name} found {len(page.jobs)} of {size} jobs"
        for _ in range(rounds):
            for size, (lab, driver) in labs.items():
                times["pick"][size].append(await _pick(lab, driver))
    return {name: {size: found[rounds // 10 :] for size, found in sides.items()} for name, sides in times.items()}


async def _pick(lab: Lab, driver: ScriptedDriver) -> float:
    """One claim's time, with half of the history waiting behind this job."""
    mine, _ = await lab.jobs.submit(ADMIN, bell(priority=10))
    began = time.perf_counter()
    job = await driver.claim()
    took = time.perf_counter() - began
    assert job.job_id == mine.id, "the planner picked somebody else's job"
    await driver.started(job)
    await driver.deliver(job)
    return took


async def _ready(stack: AsyncExitStack, folder: Path, size: int) -> tuple[Lab, ScriptedDriver]:
    """A lab with ``size`` jobs, the first of which really ran."""
    async with open_lab(folder) as lab:
        await lab.qpus.create(ADMIN, QpuIn(name="q1"))
        driver = await driver_of(lab, "q1", "d1")
        await driver.connect()
        await lab.jobs.submit(ANN, bell(name="Rabi 0", project="t1", tags=["cal"]))
        await driver.run()
    _fill(folder / "lab.sqlite3", size - 1)
    # While one lab is asked, the drivers of the others are silent.
    lab = await stack.enter_async_context(open_lab(folder, lease_s=3600.0))
    again = ScriptedDriver(lab, driver.principal)
    await again.connect()
    return lab, again


def _fill(database: Path, more: int) -> None:
    """Copy the first job ``more`` times: the few oldest are Ann's, and of the rest one in fifty; of the others' every
    second one still waits."""
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000;")
        indexes = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'jobs' "
                                     "AND sql IS NOT NULL").fetchall()  # fmt: skip
        columns = [row[1] for row in connection.execute("PRAGMA table_info(jobs)")]
        ann = f"(n <= {2 * PAGE} OR n % 50 = 0)"
        changed = {
            "id": "'job-' || n", "seq": "n + 1", "submitted_at": "submitted_at + n",
            "owner": f"CASE WHEN {ann} THEN 'ann' ELSE 'user' || (n % 50) END",
            "state": f"CASE WHEN {ann} OR n % 2 THEN 'completed' ELSE 'queued' END",
            "project": f"CASE WHEN {ann} THEN 't1' ELSE 'p' || (n % 7) END",
            "name": "'Rabi ' || n",
        }  # fmt: skip
        values = ", ".join(changed.get(name, name) for name in columns)
        many = f"WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < {more})"
        with connection:
            # An index over everything at once is faster than one row after the other.
            for name, _sql in indexes:
                connection.execute(f"DROP INDEX {name}")
            connection.execute(
                f"{many} INSERT INTO jobs ({', '.join(columns)}) SELECT {values} FROM jobs, many WHERE jobs.seq = 1"
            )
            for _name, sql in indexes:
                connection.execute(sql)
            connection.execute("INSERT INTO job_tags (tag, seq) SELECT 'cal', seq FROM jobs WHERE owner = 'ann' "
                               "AND seq > 1")  # fmt: skip
            connection.execute("DELETE FROM tallies")
            connection.execute("INSERT INTO tallies SELECT 'jobs:' || owner, COUNT(*) FROM jobs GROUP BY owner")
            connection.execute("INSERT INTO tallies SELECT 'jobs', COUNT(*) FROM jobs")
            connection.execute(
                "UPDATE qpus SET (queued, queued_s) = (SELECT COUNT(*), COALESCE(SUM(estimate_s), 0) FROM jobs "
                "WHERE state = 'queued')"
            )

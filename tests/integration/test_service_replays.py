"""Replays that managers start in the lab: one at a time, in a process of their own, and nothing changes."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from sqlalchemy import Connection

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import Conflict, Rejected
from qpi_jupyter.core.planner import Policy
from qpi_jupyter.wire.events import LabEvent, ReplayChanged, ReplayData
from qpi_jupyter.wire.replays import PolicyIn, ReplayIn, ReplayModel
from qpi_server.replay import process, worker
from qpi_server.replay.process import Ask
from qpi_server.replay.report import figures
from qpi_server.replay.simulate import simulate
from qpi_server.replay.trace import of_lab
from qpi_server.service import Lab
from qpi_server.store import USUAL, backend_of, schema
from tests.faults.lab import ADMIN, ANN, bell, open_lab, small_lab

pytestmark = pytest.mark.slow

MIA = Principal(name="mia", roles=frozenset({Role.MANAGER}))
AS_NOW = PolicyIn(name="as now")
SHARED = PolicyIn(name="fair share", fair_share=True)
LONG = ReplayIn(policies=[AS_NOW, SHARED], seed=1)
"""The invented month: seconds of work, whatever the machine."""


async def followed(lab: Lab, until: str = "ended") -> tuple[ReplayModel, list[ReplayData]]:
    """The replay when it has ended, or has shown progress, and what the events said on the way."""
    said: list[ReplayData] = []
    async with asyncio.timeout(120):
        async for event in lab.events.subscribe(ADMIN, after=0):
            if isinstance(event, ReplayChanged):
                said.append(event.data)
                if event.data.state != "running" or (until == "progress" and event.data.progress > 0):
                    break
    replay = (await lab.replays.state(MIA)).replay
    assert replay is not None
    return replay, said


def processes() -> list[psutil.Process]:
    """The replays that this process has started and that still run."""
    return [child for child in psutil.Process().children() if "qpi_server.replay.worker" in child.cmdline()]


def test_the_past_is_replayed_and_nothing_changes(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            for _ in range(3):
                await lab.jobs.submit(ANN, bell())
                await driver.run()
            before = await dump(lab)
            begun = await lab.replays.start(MIA, ReplayIn(policies=[AS_NOW, SHARED]))
            assert begun.in_force == Policy()
            assert begun.replay is not None
            assert begun.replay.state == "running"
            replay, said = await followed(lab)
            assert (replay.state, replay.jobs, replay.progress) == ("done", 3, 1.0)
            assert [one.name for one in replay.results] == ["as now", "fair share"]
            assert [one.policy.fair_share for one in replay.results] == [False, True]
            assert replay.results[0].people["ann"].jobs == 3
            assert said[-1] == ReplayData(state="done", progress=1.0)
            assert await dump(lab) == before
            # The command line has the same figures.
            trace = of_lab(backend_of(USUAL, tmp_path), replay.start_at, replay.end_at)
            theirs = figures(trace, simulate(trace, Policy()))
            ours = msgspec.to_builtins(replay.results[0])
            assert {name: ours[name] for name in theirs} == json.loads(json.dumps(theirs))

    asyncio.run(dialogue())


async def dump(lab: Lab) -> dict[str, list[Any]]:
    """Every table but the events, which tell of the replay itself."""

    def query(connection: Connection) -> dict[str, list[Any]]:
        tables = [table for table in schema.metadata.sorted_tables if table.name != schema.events.name]
        return {table.name: [tuple(row) for row in connection.execute(table.select())] for table in tables}

    return await lab.context.db.read(query)


def test_an_interval_without_jobs_says_so(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            await lab.replays.start(MIA, ReplayIn(policies=[AS_NOW]))
            replay, _ = await followed(lab)
            assert (replay.state, replay.jobs, replay.results) == ("done", 0, [])

    asyncio.run(dialogue())


def test_one_at_a_time_until_it_is_cancelled(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            assert (await lab.replays.cancel(MIA)).replay is None
            await lab.replays.start(MIA, LONG)
            with pytest.raises(Conflict, match="mia is running a replay"):
                await lab.replays.start(ADMIN, LONG)
            replay, said = await followed(lab, "progress")
            assert (replay.state, replay.jobs) == ("running", 60_000)
            assert 0 < said[-1].progress < 1
            assert len(processes()) == 1
            ended = (await lab.replays.cancel(ADMIN)).replay
            assert ended is not None
            assert (ended.state, ended.results) == ("cancelled", [])
            assert processes() == []
            assert (await lab.replays.cancel(ADMIN)).replay == ended
            await lab.replays.start(ADMIN, ReplayIn(policies=[AS_NOW]))
            async with asyncio.timeout(60):
                while (state := (await lab.replays.state(MIA)).replay) is not None and state.state == "running":
                    await lab.events.page(ADMIN, after=(await lab.events.newest()).cursor, wait_s=1)
            assert state is not None
            assert (state.state, state.started_by) == ("done", ADMIN.name)

    asyncio.run(dialogue())


def test_a_lab_that_closes_takes_its_replay_along(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            await lab.replays.start(MIA, LONG)
            await followed(lab, "progress")
        assert processes() == []
        async with open_lab(tmp_path) as lab:
            assert (await lab.replays.state(MIA)).replay is None
            events = (await lab.events.page(ADMIN)).events
            assert last_said(events).state == "cancelled"
            await lab.replays.start(MIA, ReplayIn(policies=[AS_NOW]))

    asyncio.run(dialogue())


def last_said(events: list[LabEvent]) -> ReplayData:
    return [event.data for event in events if isinstance(event, ReplayChanged)][-1]


def test_a_process_that_dies_is_a_failed_replay(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            await lab.replays.start(MIA, LONG)
            await followed(lab, "progress")
            [child] = processes()
            child.kill()
            async with asyncio.timeout(60):
                async for event in lab.events.subscribe(ADMIN, after=0):
                    if isinstance(event, ReplayChanged) and event.data.state == "failed":
                        break
            replay = (await lab.replays.state(MIA)).replay
            assert replay is not None
            assert replay.problem is not None
            assert "status -9" in replay.problem

    asyncio.run(dialogue())


def test_the_process_ends_with_a_server_that_is_killed() -> None:
    now = datetime.now(UTC)
    ask = Ask(db_url=USUAL, lab_dir="", since=now, until=now, seed=1, policies=[Policy()])
    command = [sys.executable, "-m", "qpi_server.replay.worker"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(msgspec.json.encode(ask) + b"\n")
        child.stdin.flush()
        assert b"Loaded" in child.stdout.readline()
        child.stdin.close()  # as the kernel does it
        assert child.wait(30) == 1


def test_too_long_a_past_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "MAX_JOBS", 1)
    said: list[process.Step] = []

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            for _ in range(2):
                await lab.jobs.submit(ANN, bell())
                await driver.run()

    asyncio.run(dialogue())
    now = datetime.now(UTC)
    ask = Ask(
        db_url=USUAL, lab_dir=str(tmp_path), since=now - timedelta(days=1), until=now + timedelta(days=1), policies=[]
    )
    with pytest.raises(Exception, match="2 jobs ran in that time; 1 can be replayed here"):
        worker.answer(ask, said.append)
    assert said == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"policies": [AS_NOW, PolicyIn(name=" as now ")]}, "two policies called 'as now'"),
        ({"policies": [PolicyIn(name="x", backfill_max_s=-1)]}, "backfill_max_s cannot be -1"),
        ({"policies": [PolicyIn(name="x", fair_share_window_s=0)]}, "fair_share_window_s cannot be 0"),
        ({"policies": [AS_NOW], "start_at": datetime(2100, 1, 1, tzinfo=UTC)}, "must end after it begins"),
        ({"policies": [AS_NOW], "start_at": datetime(2025, 1, 1)}, "needs a time zone"),
        ({"policies": [AS_NOW], "end_at": datetime(1, 1, 1, tzinfo=UTC)}, "between the years 1970"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(tmp_path: Path, body: dict[str, Any], message: str) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            with pytest.raises(Rejected, match=message):
                await lab.replays.start(MIA, ReplayIn(**body))
            assert (await lab.replays.state(MIA)).replay is None

    asyncio.run(dialogue())


@pytest.mark.slow
def test_the_lab_itself_hardly_works_for_a_replay(tmp_path: Path) -> None:
    """A month takes seconds of computing; none of them is the event loop's."""

    async def dialogue() -> float:
        async with open_lab(tmp_path) as lab:
            before = time.thread_time()
            await lab.replays.start(MIA, ReplayIn(policies=[AS_NOW], seed=1))
            replay, _ = await followed(lab)
            assert (replay.state, len(replay.results[0].people)) == ("done", 50)
            return time.thread_time() - before

    assert asyncio.run(dialogue()) < 0.5

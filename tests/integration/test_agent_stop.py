"""Jobs that do not end by themselves, or end the process that they run in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import Abort
from tests.faults.agent_process import agent
from tests.faults.executors import read_diary
from tests.faults.scripted_lab import ScriptedLab, assignment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("executor", "child_survives"),
    [("SlowExecutor", True), ("NeverExecutor", False), ("BlockedExecutor", False)],
    ids=["asked", "terminated", "killed"],
)
def test_a_running_job_is_cancelled_and_the_place_serves_the_next(
    tmp_path: Path, executor: str, child_survives: bool
) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "--stop-grace", "0.3", executor=executor) as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.assign(assignment("j2"))  # staged behind it
            await driver.holds(("j1", "running"), ("j2", "staged"))
            driver.publish(frames.ABORT, Abort(job_id="j1", attempt=1))
            assert (await driver.report("aborted", "j1"))["busy_s"] > 0
            await driver.holds(("j2", "running"))
            assert [(await driver.expect(frames.STARTED)).body["job_id"] for _ in range(2)] == ["j1", "j2"]
            driver.publish(frames.ABORT, Abort(job_id="j2", attempt=1))
            await driver.report("aborted", "j2")
            pids = {line["pid"] for line in read_diary(running.diary)}
            assert len(pids) == (1 if child_survives else 2)

    asyncio.run(story())


def test_a_staged_job_is_given_back_and_never_runs(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, executor="SlowExecutor") as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1", source=b"one"))
            await driver.assign(assignment("j2", source=b"two"))
            driver.publish(frames.ABORT, Abort(job_id="j2", attempt=1))
            await driver.report("released", "j2")
            driver.publish(frames.ABORT, Abort(job_id="j3", attempt=1))  # overtakes its assignment
            await driver.assign(assignment("j3", source=b"three"))
            await driver.report("released", "j3")
            await driver.holds(("j1", "running"))
            assert [line["label"] for line in read_diary(running.diary)] == ["one"]

    asyncio.run(story())


def test_a_recalled_job_comes_back_unless_it_runs(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, executor="SlowExecutor") as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1", source=b"one"))
            await driver.assign(assignment("j2", source=b"two"))
            await driver.holds(("j1", "running"), ("j2", "staged"))
            for job in ("j1", "j2", "j9"):
                driver.publish(frames.RECALL, Abort(job_id=job, attempt=1))
            await driver.report("released", "j2")
            await driver.holds(("j1", "running"))
            assert [line["label"] for line in read_diary(running.diary)] == ["one"]

    asyncio.run(story())


def test_a_cancel_right_behind_its_job_always_finds_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "--stop-grace", "30", executor="SlowExecutor"):
            driver = await lab.greet()
            for attempt in range(1, 31):
                await driver.assign(assignment("j1", attempt=attempt))
                for _ in range(attempt % 5):
                    await asyncio.sleep(0)  # not to be right: each count lets the cancel meet another moment
                driver.publish(frames.ABORT, Abort(job_id="j1", attempt=attempt))
                report = await driver.expect(frames.REPORT)
                assert report.body["attempt"] == attempt
                assert report.body["outcome"] in ("released", "aborted")
                assert report.body.get("busy_s", 0.0) < 30  # asked, not killed
                driver.answer(report, frames.Reported(accepted=True))

    asyncio.run(story())


def test_a_job_over_its_time_limit_is_errored_with_what_it_used(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "--job-timeout", "1000", executor="SlowExecutor"):
            driver = await lab.greet()
            await driver.assign(assignment("j1", timeout_s=0.3))
            report = await driver.report("errored", "j1")
            assert (report["error"]["kind"], report["error"]["code"]) == ("Rejected", "timeout")
            assert 0.2 < report["busy_s"] < 10  # loop and driver read the clock at different times

    asyncio.run(story())


def test_a_crash_of_the_executor_is_the_bench_s_fault_and_a_new_child_takes_over(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, executor="CrashingExecutor") as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            error = (await driver.report("interrupted", "j1"))["error"]
            assert (error["kind"], error["code"]) == ("Faulted", "executor_crashed")
            assert "SIGSEGV" in error["message"]
            await driver.assign(assignment("j1", attempt=2))
            await driver.report("interrupted", "j1")
            assert len({line["pid"] for line in read_diary(running.diary)}) == 2

    asyncio.run(story())


def test_a_job_over_the_memory_cap_is_errored_and_the_place_lives_on(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "--memory-cap", "1GiB", executor="MemoryHog"):
            driver = await lab.greet()
            for job_id in ("j1", "j2"):
                await driver.assign(assignment(job_id))
                error = (await driver.report("errored", job_id))["error"]
                assert error["code"] == "out_of_memory"

    asyncio.run(story())

"""Results reach the lab: lost answers, servers that go away, results that nobody wants, drivers killed in between."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from qpi_jupyter.wire import frames
from qpi_jupyter.wire.rest import ResultStored
from tests.faults.agent_process import AgentProcess, agent, ended_with
from tests.faults.executors import read_diary
from tests.faults.scripted_lab import ScriptedLab, assignment, welcome

pytestmark = pytest.mark.slow


def test_an_upload_is_repeated_until_the_lab_has_answered_for_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url) as running:
            driver = await lab.greet()
            # Stored, but the answer is lost; then busy; then damaged on the way; then: "I have that one already".
            lab.script.extend([None, 503, 422, ResultStored(accepted=True, status="completed")])
            await driver.assign(assignment("j1"))
            uploads = [await lab.upload() for _ in range(4)]
            assert len({upload.digest for upload in uploads}) == 1
            await driver.holds()
            assert running.spooled() == running.archived() == []
            assert len(read_diary(running.diary)) == 1

    asyncio.run(story())


@pytest.mark.parametrize("answer", [ResultStored(accepted=False, status="cancelled"), 404, 403])
def test_a_result_that_the_lab_does_not_want_is_archived(tmp_path: Path, answer: ResultStored | int) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url) as running:
            driver = await lab.greet()
            lab.script.append(answer)
            await driver.assign(assignment("j1"))
            await lab.upload()
            await driver.holds()
            assert (running.spooled(), running.archived()) == ([], ["j1.1.result"])
            assert driver.silent(frames.REPORT)

    asyncio.run(story())


def test_a_result_that_always_arrives_damaged_is_archived_and_reported(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url) as running:
            driver = await lab.greet()
            lab.script.extend([422] * 3)
            await driver.assign(assignment("j1"))
            report = await driver.report("interrupted", "j1")
            assert report["error"]["code"] == "result_damaged"
            assert running.archived() == ["j1.1.result"]

    asyncio.run(story())


def test_a_server_that_goes_away_during_a_run_gets_the_result_when_it_is_back(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "-o", "seconds=1") as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.expect(frames.STARTED)
            await lab.stop()
            await driver.end()
            lab.start()
            driver, hello = await lab.driver()
            assert [(held["job_id"], held["attempt"]) for held in hello.body["held"]] == [("j1", 1)]
            driver.answer(hello, welcome(epoch=8))
            assert (await lab.upload()).job_id == "j1"
            await driver.holds()
            await driver.assign(assignment("j2"))
            assert (await driver.expect(frames.STARTED)).body["epoch"] == 8
            assert (await lab.upload()).job_id == "j2"
            assert len(read_diary(running.diary)) == 2

    asyncio.run(story())


def test_a_driver_killed_before_the_upload_delivers_after_its_restart(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab:
            async with agent(tmp_path, lab.url) as running:
                driver = await lab.greet()
                lab.script.extend([503] * 1000)
                await driver.assign(assignment("j1"))
                await lab.upload()
                running.send(signal.SIGKILL)
                assert await running.ended() == -signal.SIGKILL
                assert running.spooled() == ["j1.1.result"]
            lab.script.clear()
            async with agent(tmp_path, lab.url) as running:
                driver, hello = await lab.driver()
                assert hello.body.get("held", []) in ([], [{"job_id": "j1", "attempt": 1, "phase": "measured"}])
                driver.answer(hello, welcome())
                await driver.holds()
                assert running.spooled() == running.archived() == []
                assert len(read_diary(running.diary)) == 1

    asyncio.run(story())


def test_what_the_lab_drops_in_its_welcome_is_stopped_or_archived(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, executor="SlowExecutor"):
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.expect(frames.STARTED)
            driver.hang_up()
            driver = await lab.greet(epoch=8, drop=[frames.Held(job_id="j1", attempt=1)])
            assert (await driver.report("aborted", "j1"))["epoch"] == 8

    asyncio.run(story())


def test_two_agents_do_not_share_a_spool(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url):
            await lab.greet()
            second = AgentProcess(tmp_path, lab.url, executor="RecordingExecutor")
            with ended_with(second):
                assert await second.ended() == 2
                assert "--data-dir" in second.log

    asyncio.run(story())

"""How a driver begins and ends: refusals, drains, parents, and no process left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from qpi_jupyter.core.errors import Conflict
from qpi_jupyter.wire import frames
from tests.faults.agent_process import ROOT, agent
from tests.faults.scripted_lab import TOKEN, ScriptedLab, assignment, soon, welcome
from tests.support.waiting import survivors

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("executor", ["SlowExecutor", "BlockedExecutor"])
def test_no_child_survives_an_agent_that_is_killed_in_a_run(tmp_path: Path, executor: str) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, executor=executor) as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.expect(frames.STARTED)
            children = running.children()
            assert len(children) == 2
            running.send(signal.SIGKILL)
            assert not await asyncio.to_thread(survivors, children, 10)

    asyncio.run(story())


def test_a_drain_gives_back_what_has_not_begun_and_delivers_the_rest(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "-o", "seconds=1") as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.assign(assignment("j2"))
            await driver.holds(("j1", "running"), ("j2", "staged"))
            running.send(signal.SIGTERM)
            await driver.report("released", "j2")
            assert (await lab.upload()).job_id == "j1"
            assert await running.ended() == 0
            assert running.spooled() == []

    asyncio.run(story())


def test_a_drain_asked_for_by_the_lab_stops_what_runs_over_its_time(tmp_path: Path) -> None:
    async def story() -> None:
        limits = ("--drain-timeout", "0.3", "--stop-grace", "0.3")
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, *limits, executor="BlockedExecutor") as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.expect(frames.STARTED)
            driver.publish(frames.DRAIN, frames.Frame())
            assert (await driver.report("interrupted", "j1"))["error"]["code"] == "driver_stopped"
            assert await running.ended() == 0

    asyncio.run(story())


def test_an_agent_ends_with_the_server_that_started_it(tmp_path: Path) -> None:
    async def story() -> None:
        read_end, write_end = os.pipe()
        async with ScriptedLab() as lab:
            command = [sys.executable, "-m", "qpi_agent", "start", "--qpi-addr", lab.url, "--data-dir", str(tmp_path)]
            command += ["--executor", "tests.faults.executors:SlowExecutor", "--parent-fd", str(read_end)]
            environ = {**os.environ, "QPI_ACCESS_TOKEN": TOKEN}
            process = subprocess.Popen(
                command, cwd=ROOT, pass_fds=[read_end], env=environ, stderr=subprocess.DEVNULL, start_new_session=True
            )
            os.close(read_end)
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.expect(frames.STARTED)
            children = psutil.Process(process.pid).children(recursive=True)
            os.close(write_end)
            assert await asyncio.to_thread(process.wait, 30) == 0
            assert not await asyncio.to_thread(survivors, children, 10)

    asyncio.run(story())


def test_a_wrong_token_ends_the_driver_at_its_first_contact_only(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab(link_status=401) as lab, agent(tmp_path, lab.url) as running:
            assert await running.ended() == 3
            assert "token" in running.log

        async with ScriptedLab() as lab, agent(tmp_path, lab.url) as running:
            driver = await lab.greet()
            lab.link_status = 401
            driver.hang_up()
            for _ in range(3):
                await soon(lab.refused_links.get())
            lab.link_status = 101
            await lab.greet()

    asyncio.run(story())


def test_another_wire_version_is_said_and_ends_the_driver(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url) as running:
            driver, hello = await lab.driver()
            driver.refuse(hello, Conflict("This lab speaks version 9.", code="wire_version").to_dict())
            assert await running.ended() == 3
            assert "This lab speaks version 9." in running.log

    asyncio.run(story())


def test_a_driver_refused_because_another_one_lives_tries_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url) as running:
            for _ in range(2):
                driver, hello = await lab.driver()
                driver.refuse(hello, Conflict("Another driver of q1 is alive.").to_dict())
            driver, hello = await lab.driver()
            driver.answer(hello, welcome())
            await driver.expect(frames.CLAIM)
            assert "Another driver of q1 is alive." in running.log

    asyncio.run(story())


def test_an_unknown_option_of_the_executor_is_named(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "-o", "qubitz=3") as running:
            assert await running.ended() == 2
            assert "qubitz" in running.log

    asyncio.run(story())


def test_an_instrument_has_one_place(tmp_path: Path) -> None:
    async def story() -> None:
        arguments = ("-o", "simulator=false", "--places", "2")
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, *arguments) as running:
            assert await running.ended() == 2
            assert "instrument" in running.log

    asyncio.run(story())


def test_what_a_driver_logs_reaches_the_lab_without_its_secrets(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url) as running:
            first = await lab.greet()
            log = await first.expect(frames.LOG)
            assert log.body["epoch"] == 7
            [line] = log.body["lines"]
            assert (line["level"], line["logger"]) == ("info", "qpi_agent.link")
            assert line["message"].startswith(f"linked to {lab.url} as a driver of q1")

            for _ in range(3):  # nothing to say, nothing sent
                await first.expect(frames.HEARTBEAT)
            assert first.silent(frames.LOG)

            lab.link_status = 401
            first.hang_up(4000, TOKEN)
            await soon(lab.refused_links.get())
            lab.link_status = 101
            driver = await lab.greet()
            lines = (await driver.expect(frames.LOG)).body["lines"]
            assert any("no link to" in line["message"] and line["level"] == "warning" for line in lines)
            assert TOKEN in running.log
            assert TOKEN not in str(lines)
            assert "[hidden]" in str(lines)

            running.send(signal.SIGTERM)
            assert "draining" in str((await driver.expect(frames.LOG)).body["lines"])
            assert await running.ended() == 0

    asyncio.run(story())

"""A driver's checks in real processes: children that are killed, a child that is busy, a first child that dies."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import msgspec
import pytest

from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import Prepare, Prepared, ProgramRef
from qpi_jupyter.wire.rest import DriverIn, OptionsIn, QpuIn
from tests.faults.agent_process import AgentProcess, agent, ended_with
from tests.faults.lab import ADMIN, ANN, BOB, bell, open_lab
from tests.faults.scripted_lab import ScriptedDriver, ScriptedLab
from tests.support.waiting import until
from tests.support.web import serving

pytestmark = pytest.mark.slow


async def check(driver: ScriptedDriver, source: str, person: str) -> Prepared:
    program = ProgramRef(format="openqasm3", sha256="1" * 64, options=OptionsIn(), sources=[source.encode()])
    answer = await driver.request(frames.PREPARE, Prepare(key=source, program=program, person=person))
    assert answer.error is None, answer.error
    return msgspec.json.decode(answer.data, type=Prepared)


def test_a_first_child_that_dies_while_it_starts_is_started_again(tmp_path: Path) -> None:
    def killed(running: AgentProcess) -> bool:
        """Whether every child so far was killed before it was warm, and the agent has said so."""
        for child in running.children():
            child.send_signal(signal.SIGKILL)
        return "the prepare child does not start" in running.log

    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url) as running:
            await until(lambda: killed(running))
            driver = await lab.greet()
            await driver.expect(frames.CLAIM)
            assert "was ended by SIGKILL" in running.log

    asyncio.run(story())


def test_a_slow_check_and_its_childs_death_delay_nobody_else_and_fail_nothing(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    def asked() -> list[int]:
        path = gate.with_suffix(".asked")
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    async def story() -> None:
        options = ("-o", f"gate={gate}", "--check-timeout", "3600")
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, *options, executor="GatedExecutor") as running:
            driver = await lab.greet(reask_s=3600.0)  # no claim is answered here, however slow the machine is
            slow = asyncio.ensure_future(check(driver, "GATE", "ann"))
            more = asyncio.ensure_future(check(driver, "GATE too", "ann"))
            await until(lambda: len(asked()) == 1)
            assert (await check(driver, "quick", "bob")).estimate is not None
            assert not slow.done()
            assert len(running.children()) == 3, "one runs, two check"

            os.kill(asked()[0], signal.SIGKILL)
            assert (await check(driver, "quick too", "bob")).estimate is not None
            await until(lambda: len(asked()) == 2)
            gate.touch()
            assert (await slow).estimate is not None
            assert (await more).estimate is not None

            crashed = (await check(driver, "CRASH", "ann")).error
            assert crashed is not None
            assert (crashed["kind"], crashed["code"]) == ("ProgramError", "check_crashed")
            assert "3 times" in crashed["message"]
            assert "SIGSEGV" in crashed["message"]
            assert (await check(driver, "still there", "ann")).estimate is not None

    asyncio.run(story())


def test_endless_checks_of_one_person_hold_up_nobody_elses_jobs(tmp_path: Path) -> None:
    """A real lab and driver: whatever ann sends, bob's jobs are checked and run before her second one is checked."""

    async def story() -> None:
        async with open_lab(tmp_path / "lab", check_budget_s=0.05) as lab, serving(lab) as url:
            await lab.qpus.create(ADMIN, QpuIn(name="q1"))
            registered = await lab.registration.register(ADMIN, DriverIn(name="d", qpu="q1"), address=url)
            running = AgentProcess(
                tmp_path, url, "--check-timeout", "3600", executor="BombExecutor",
                env={"QPI_ACCESS_TOKEN": registered.token},
            )  # fmt: skip
            with ended_with(running):
                slow = [(await lab.jobs.submit(ANN, bell(source=f"BOMB {n}")))[0].id for n in range(4)]
                await until(lambda: lab.links.online("q1"))
                for n in range(4):
                    slow.append((await lab.jobs.submit(ANN, bell(source=f"BOMB, too {n}")))[0].id)
                    mine, _ = await lab.jobs.submit(BOB, bell(source=f"quick {n}"))
                    assert (await lab.jobs.get(BOB, mine.id, wait_s=60)).status == "completed"
                jobs = [await lab.jobs.get(ANN, job_id) for job_id in slow]
                assert {(job.phase, job.checked) for job in jobs} == {("queued", False)}
                assert (await lab.jobs.cancel(ANN, slow[0])).status == "cancelled"

    asyncio.run(story())

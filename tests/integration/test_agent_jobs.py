"""A driver runs jobs: the dialogue of the happy path, and of jobs that fail."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qpi_jupyter.wire import WIRE_VERSION, frames
from qpi_jupyter.wire.frames import Prepare, Prepared, ProgramRef
from qpi_jupyter.wire.rest import OptionsIn
from tests.faults.agent_process import agent
from tests.faults.executors import read_diary
from tests.faults.scripted_lab import ScriptedDriver, ScriptedLab, assignment, welcome
from tests.support.waiting import until

pytestmark = pytest.mark.slow


def test_a_job_from_claim_to_upload_and_a_batch_that_is_fetched(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab(base="/user/ann") as lab, agent(tmp_path, lab.url, "-o", "seconds=0.2") as running:
            driver, hello = await lab.driver()
            assert hello.body["manifest"]["executor"] == "recording"
            assert (hello.body["places"], hello.body["wire"], "held" in hello.body) == (1, WIRE_VERSION, False)
            driver.answer(hello, welcome())

            claim = await driver.expect(frames.CLAIM)
            assert claim.body["epoch"] == 7
            driver.answer(claim, assignment("j1"))
            started = (await driver.expect(frames.STARTED)).body
            assert (started["job_id"], started["attempt"], started["epoch"]) == ("j1", 1, 7)
            upload = await lab.upload()
            assert (upload.job_id, upload.attempt) == ("j1", 1)
            assert upload.header["circuits"][0]["counts"] == {"0x3": 100}
            assert zipfile.ZipFile(io.BytesIO(upload.blob)).testzip() is None

            # A batch whose program is too large for a frame.
            lab.programs["0" * 64] = (b"first", b"second")
            await driver.assign(assignment("j2", inline=False))
            assert len((await lab.upload()).header["circuits"]) == 2

            # It is out of the spool once the lab has it, which the next heartbeats show.
            await driver.holds()
            assert running.spooled() == running.archived() == []
            assert [line["label"] for line in read_diary(running.diary)] == ["bell", "first"]

    asyncio.run(story())


def test_an_attempt_in_hand_is_not_taken_again(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "-o", "seconds=0.5") as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.assign(assignment("j1"))
            await driver.assign(assignment("j2", source=b"two"))
            assert [(await lab.upload()).job_id for _ in range(2)] == ["j1", "j2"]
            assert [line["label"] for line in read_diary(running.diary)] == ["bell", "two"]

    asyncio.run(story())


def test_a_driver_holds_as_many_children_as_it_has_needed_and_one_more(tmp_path: Path) -> None:
    async def story() -> None:
        slow = ("-o", "seconds=3600", "--places", "8")
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, *slow) as running:

            def measuring() -> int:
                return len(running.children("run"))

            driver = await lab.greet()
            assert measuring() == 1
            await driver.assign(assignment("j1"))
            await driver.expect(frames.STARTED)
            await until(lambda: measuring() > 1)
            assert measuring() == 2
            for more in ("j2", "j3", "j4"):
                await driver.assign(assignment(more, source=more.encode()))
            for _ in range(3):
                await driver.expect(frames.STARTED)
            assert {line["label"] for line in read_diary(running.diary)} == {"bell", "j2", "j3", "j4"}
            await until(lambda: measuring() > 4)
            assert measuring() == 5

    asyncio.run(story())


def test_an_instrument_begins_only_when_the_lab_knows(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, "-o", "simulator=false") as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            asked = await driver.expect(frames.STARTED)
            assert (asked.body["job_id"], asked.body["attempt"]) == ("j1", 1)
            await driver.holds(("j1", "staged"))
            assert read_diary(running.diary) == [], "nothing runs before the answer"
            driver.answer(asked, frames.Reported(accepted=True))
            assert (await lab.upload()).job_id == "j1"

            # The lab has no use for this one any more.
            await driver.assign(assignment("j2", source=b"two"))
            driver.answer(await driver.expect(frames.STARTED), frames.Reported(accepted=False))
            await driver.report("aborted", "j2")
            # Cancelled while the question is on its way.
            await driver.assign(assignment("j3", source=b"three"))
            await driver.expect(frames.STARTED)
            driver.publish(frames.ABORT, frames.Abort(job_id="j3", attempt=1))
            await driver.report("aborted", "j3")
            await driver.holds()
            assert [line["label"] for line in read_diary(running.diary)] == ["bell"]

    asyncio.run(story())


def test_a_bad_program_is_errored_and_a_fault_is_interrupted(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, executor="FaultyExecutor"):
            driver = await lab.greet()
            await driver.assign(assignment("bad", source=b"this one ERR"))
            report = await driver.report("errored", "bad")
            assert (report["epoch"], report["attempt"]) == (7, 1)
            assert (report["error"]["kind"], report["error"]["data"]["line"]) == ("ProgramError", 1)

            await driver.assign(assignment("unlucky", attempt=2))
            report = await driver.report("interrupted", "unlucky")
            assert (report["attempt"], report["error"]["code"]) == (2, "mixer")

    asyncio.run(story())


def test_programs_are_checked_beside_a_running_job(tmp_path: Path) -> None:
    async def story() -> None:
        slow = ("-o", "seconds=3600", "--check-timeout", "0.5")
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, *slow, executor="BombExecutor"):
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            await driver.expect(frames.STARTED)

            assert (await _prepare(driver, b"good")).estimate is not None
            refused = (await _prepare(driver, b"BAD")).error
            assert refused is not None
            assert (refused["kind"], refused["data"]["line"]) == ("ProgramError", 1)
            bomb = (await _prepare(driver, b"BOMB")).error
            assert bomb is not None
            assert bomb["code"] == "check_timeout"

    asyncio.run(story())


def test_a_program_over_the_memory_of_a_place_is_refused_before_it_runs(tmp_path: Path) -> None:
    async def story() -> None:
        huge = ("-o", f"memory_bytes={2**44}")
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, *huge):
            driver = await lab.greet()
            error = (await _prepare(driver, b"40 qubits")).error
            assert error is not None
            assert (error["kind"], error["code"]) == ("TooLarge", "too_much_memory")
            assert "16,384.0 GiB" in error["message"]

    asyncio.run(story())


async def _prepare(driver: ScriptedDriver, source: bytes) -> Prepared:
    program = ProgramRef(format="openqasm3", sha256="1" * 64, options=OptionsIn(), sources=[source])
    answer: Any = await driver.request(frames.PREPARE, Prepare(key=source.decode(), program=program))
    assert answer.error is None, answer.error
    return msgspec.json.decode(answer.data, type=Prepared)


def test_an_executor_that_recalibrates_tells_the_lab_and_runs_on_no_other_calibration(tmp_path: Path) -> None:
    async def story() -> None:
        drifting = "tests.faults.executors:DriftingExecutor"
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, executor=drifting) as running:
            driver, hello = await lab.driver()
            assert hello.body["manifest"]["calibration_id"] == "drift-0"
            driver.answer(hello, welcome())

            await driver.assign(assignment("j1"))
            told = await driver.expect(frames.CALIBRATED)
            driver.answer(told, frames.Reported(accepted=True))
            assert (told.body["epoch"], told.body["calibration"]["id"]) == (7, "drift-1")
            assert told.body["calibration"]["qubits"][0]["t1_s"] == 2e-6
            assert (await lab.upload()).header["provenance"]["calibration_id"] == "drift-0"

            await driver.assign(assignment("j2", calibration="drift-0"))
            refused = await driver.report("errored", "j2")
            assert refused["error"]["code"] == "other_calibration"
            await driver.assign(assignment("j3", calibration="drift-1"))
            assert (await lab.upload()).header["provenance"]["calibration_id"] == "drift-1"
            assert [line["job_id"] for line in read_diary(running.diary)] == ["j1", "j3"]

            driver.hang_up()
            _, hello = await lab.driver()
            assert hello.body["manifest"]["calibration_id"] == "drift-2"
            assert hello.body["manifest"]["qubits"][0]["t1_s"] == 3e-6

    asyncio.run(story())


def test_a_calibration_that_comes_too_soon_for_the_lab_is_said_again(tmp_path: Path) -> None:
    async def story() -> None:
        drifting = "tests.faults.executors:DriftingExecutor"
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, executor=drifting):
            driver = await lab.greet(heartbeat_s=0.05)
            for job in ("j1", "j2"):
                await driver.assign(assignment(job))
                await lab.upload()
            refused = 0
            while refused < 2:
                told = await driver.expect(frames.CALIBRATED)
                driver.answer(told, frames.Reported(accepted=False))
                refused += told.body["calibration"]["id"] == "drift-2"
            told = await driver.expect(frames.CALIBRATED)
            assert told.body["calibration"]["id"] == "drift-2"
            driver.answer(told, frames.Reported(accepted=True))
            await driver.holds()
            await driver.holds()
            assert driver.silent(frames.CALIBRATED)

    asyncio.run(story())


def test_a_calibration_that_cannot_be_is_logged_and_costs_no_result(tmp_path: Path) -> None:
    async def story() -> None:
        broken = ("-o", "breaks_after=1")
        drifting = "tests.faults.executors:DriftingExecutor"
        async with ScriptedLab() as lab, agent(tmp_path, lab.url, *broken, executor=drifting) as running:
            driver = await lab.greet()
            await driver.assign(assignment("j1"))
            assert (await lab.upload()).header["provenance"]["calibration_id"] == "drift-0"
            await driver.holds()
            assert driver.silent(frames.CALIBRATED)
            assert "the lab is not told of the executor's calibration" in running.log

    asyncio.run(story())

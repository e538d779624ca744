"""A driver runs jobs: the dialogue of the happy path, and of jobs that fail."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path

from qpi_jupyter.wire import frames
from tests.faults.agent_process import agent
from tests.faults.executors import read_diary
from tests.faults.scripted_lab import ScriptedLab, assignment, welcome


def test_a_job_from_claim_to_upload(tmp_path: Path) -> None:
    async def story() -> None:
        async with ScriptedLab(base="/user/ann") as lab, agent(tmp_path, lab.url) as running:
            driver, hello = await lab.driver()
            assert hello.body["manifest"]["executor"] == "recording"
            assert (hello.body["places"], hello.body["wire"], hello.body.get("held", [])) == (1, 1, [])
            driver.answer(hello, welcome())
            claim = await driver.expect(frames.CLAIM)
            assert claim.body == {"epoch": 7, "free": 2}
            driver.answer(claim, assignment("j1"))
            seen = await driver.expect_any(frames.STARTED, frames.CLAIM)
            assert (seen[frames.STARTED].body["job_id"], seen[frames.STARTED].body["attempt"]) == ("j1", 1)
            upload = await lab.upload()
            assert (upload.job_id, upload.attempt) == ("j1", 1)
            assert upload.header["circuits"][0]["counts"] == {"0x3": 100}
            assert zipfile.ZipFile(io.BytesIO(upload.blob)).testzip() is None
            # It is out of the spool once the lab has it, which the next heartbeats show.
            while (await driver.expect(frames.HEARTBEAT)).body.get("held"):
                pass
            assert running.spooled() == []
            assert [line["label"] for line in read_diary(running.diary)] == ["bell"]

    asyncio.run(story())

"""Jobs whose program format nobody here knows any more: listed, shown as such, kept."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import update

from qpi_jupyter.core import pack
from qpi_jupyter.wire.jobs import ProgramText
from qpi_server.service.base import Tx
from qpi_server.store.schema import jobs, programs
from tests.faults.lab import ANN, bell, small_lab


def shown(folder: Path, form: str, source: bytes) -> ProgramText:
    """What a person reads of a job whose row says ``form``, after looking at the list that it is in."""

    async def story() -> ProgramText:
        async with small_lab(folder) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())

            def rewritten(tx: Tx) -> None:
                tx.connection.execute(update(jobs).values(format=form))
                tx.connection.execute(update(programs).values(packed=pack((source,))))

            await lab.context.db.write(rewritten)
            assert (await lab.jobs.get(ANN, job.id)).format == form
            page = await lab.jobs.list(ANN)
            assert [one.format for one in page.jobs] == [form]
            assert await lab.jobs.program(ANN, job.id) == pack((source,))
            return await lab.transcripts.text(ANN, job.id)

    return asyncio.run(story())


@pytest.mark.parametrize("form", ["quantify-schedule", "Of Another Time!"])
def test_what_reads_like_text_is_shown_as_it_was_sent(tmp_path: Path, form: str) -> None:
    text = shown(tmp_path, form, '{"schedule": "π/2"}'.encode())
    assert [one.text for one in text.circuits] == ['{"schedule": "π/2"}']
    assert (text.as_sent, text.language, text.suffix) == (True, "", ".bin")


def test_anything_else_says_what_is_missing_and_can_be_downloaded(tmp_path: Path) -> None:
    text = shown(tmp_path, "gone-format", b"\x00\x01")
    assert text.circuits == []
    assert text.problem.startswith(
        "There is no format 'gone-format'. Installed: openqasm2, openqasm3, qblox-schedule, qpy, quantify-schedule, "
        "runtime-estimator, runtime-executor, runtime-sampler."
    )
    assert text.problem.endswith("The program can be downloaded as it was sent.")

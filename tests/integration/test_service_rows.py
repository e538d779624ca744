"""What a running attempt has measured: who may hand it over, who sees it, and when it goes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, QpiError, Rejected
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import Assignment, RowChunk, Rows, RowsTaken
from qpi_jupyter.wire.rest import CircuitIn, OptionsIn
from qpi_server.service import Lab
from tests.faults.lab import ANN, BOB, ScriptedDriver, bell, driver_of, small_lab

NOTE = [{"draw": "note", "label": "", "text": "so far"}]


def sweep(rows: int = 3, **fields: Any) -> Any:
    circuits = [CircuitIn(parameter_values=[[0.1 * row] for row in range(rows)])]
    return bell(options=OptionsIn(shots=100, circuits=circuits), **fields)


async def running(lab: Lab, driver: ScriptedDriver) -> Assignment:
    await driver.connect()
    claim = asyncio.create_task(driver.claim())
    await lab.jobs.submit(ANN, sweep())
    given = await claim
    await driver.started(given)
    return given


async def hand_over(
    driver: ScriptedDriver, job: Assignment, *rows: list[int], after: int = 0, **said: Any
) -> RowsTaken:
    wanted: dict[str, Any] = {"epoch": driver.epoch, "job_id": job.job_id, "attempt": job.attempt} | said
    measured = said.get("measured", sum(map(len, rows)))
    chunks = [RowChunk(rows=chunk, data=str(chunk).encode()) for chunk in rows]
    body = Rows(**{**wanted, "after": after, "chunks": chunks, "measured": measured, "drawings": NOTE})
    return await driver.peer.request(frames.ROWS, body, RowsTaken)


def test_rows_grow_and_give_way_to_the_result(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            job = await running(lab, driver)
            nothing = await lab.jobs.partial(ANN, job.job_id, after=0)
            assert (nothing.version, nothing.measured, nothing.chunks, nothing.attempt) == (0, 0, [], 1)
            more = asyncio.create_task(lab.jobs.partial(ANN, job.job_id, wait_s=60, version=0, after=0))
            assert (await hand_over(driver, job, [1])) == RowsTaken(have=1)
            first = await more
            assert (first.measured, first.circuits, first.have, first.drawings) == (1, 3, 1, NOTE)
            assert [chunk.rows for chunk in first.chunks] == [[1]]

            # The lab has this one already; it was the answer that was lost.
            assert (await hand_over(driver, job, [1], [0], measured=2)) == RowsTaken(have=2)
            second = await lab.jobs.partial(ANN, job.job_id, after=1)
            assert (second.measured, [chunk.rows for chunk in second.chunks]) == (2, [[0]])
            assert second.version != first.version
            assert (await lab.jobs.partial(ANN, job.job_id)).chunks == [], "whoever only draws needs no data"
            now = await lab.jobs.get(ANN, job.job_id)
            assert now.rows == 2
            assert now.progress >= 1 / 3, "rows are progress"

            # What comes too early is asked for from where the lab is.
            assert (await hand_over(driver, job, [2], after=7)) == RowsTaken(have=2)

            ended = asyncio.create_task(lab.jobs.partial(ANN, job.job_id, wait_s=60, version=second.version))
            assert await driver.report(job, "errored", error={"kind": "ProgramError", "code": "x", "message": "no"})
            gone = await ended
            assert (gone.status, gone.version, gone.measured, gone.drawings) == ("failed", 0, 0, [])
            assert (await lab.jobs.get(ANN, job.job_id)).rows == 0
            assert (await hand_over(driver, job, [2])) == RowsTaken(have=0, wanted=False)

    asyncio.run(dialogue())


def test_an_attempt_takes_its_rows_with_it(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            job = await running(lab, driver)
            await hand_over(driver, job, [0], [1])
            claim = asyncio.create_task(driver.claim())
            fault = {"kind": "Faulted", "code": "x", "message": "the fridge is warm"}
            assert await driver.report(job, "interrupted", error=fault)
            again = await claim
            assert again.attempt == 2
            assert (await lab.jobs.partial(ANN, job.job_id)).measured == 0
            assert (await hand_over(driver, job, [2])) == RowsTaken(have=0, wanted=False), "its attempt is over"
            assert (await hand_over(driver, again, [2])) == RowsTaken(have=1)
            seen = await lab.jobs.partial(ANN, job.job_id, after=0)
            assert (seen.attempt, [chunk.rows for chunk in seen.chunks]) == (2, [[2]])

    asyncio.run(dialogue())


@pytest.mark.parametrize(
    ("rows", "said", "message"),
    [
        ([[3]], {"after": 1}, "it has 3 rows, counted from 0, and not a row 3"),
        ([[0]], {"after": 1}, "its row 0 was handed over before"),
        ([[2, 2]], {"after": 1}, "its row 2 was handed over before"),
        ([[2]], {"after": 1, "measured": 4}, "4 of its 3 rows cannot be measured"),
    ],
)
def test_what_cannot_be_the_jobs_is_refused(
    tmp_path: Path, rows: list[list[int]], said: dict[str, Any], message: str
) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            job = await running(lab, driver)
            await hand_over(driver, job, [0])
            with pytest.raises(Rejected, match=message):
                await hand_over(driver, job, *rows, **said)
            seen = await lab.jobs.partial(ANN, job.job_id, after=0)
            assert (seen.measured, [chunk.rows for chunk in seen.chunks]) == (1, [[0]]), "nothing of it is kept"

    asyncio.run(dialogue())


def test_others_rows_are_not_ones_own(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            job = await running(lab, driver)
            other = await driver_of(lab, "q1", "d2")
            await other.connect()
            tried: list[tuple[ScriptedDriver, dict[str, Any], type[QpiError]]] = [
                (other, {}, Forbidden),
                (driver, {"job_id": "job-0"}, NotFound),
                (driver, {"epoch": driver.epoch - 1}, Conflict),
            ]
            for who, said, refusal in tried:
                with pytest.raises(refusal):
                    await hand_over(who, job, [0], **said)
            assert (await hand_over(driver, job, [0], attempt=2)) == RowsTaken(have=0, wanted=False)
            with pytest.raises(NotFound):
                await lab.jobs.partial(BOB, job.job_id)
            assert (await lab.jobs.partial(ANN, job.job_id)).measured == 0

    asyncio.run(dialogue())


def test_an_attempt_may_not_fill_the_labs_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qpi_server.service.lifecycle.rows.MAX_ROWS_BYTES", 8)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            job = await running(lab, driver)
            assert (await hand_over(driver, job, [0], [1])) == RowsTaken(have=2)
            with pytest.raises(Rejected, match="may hand over 8 bytes"):
                await hand_over(driver, job, [2], after=2)
            assert (await lab.jobs.get(ANN, job.job_id)).status == "running", "the result is another matter"

    asyncio.run(dialogue())

"""How a result comes in: whole, damaged, late, twice, from the wrong driver."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from qpi_jupyter.core.errors import Forbidden, NotFound, Rejected
from qpi_jupyter.wire import results
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Upload
from tests.faults.lab import ADMIN, ANN, bell, driver_of, encode, small_lab, turn
from tests.support.blobs import zipped
from tests.support.waiting import until


def test_a_driver_that_dies_right_after_its_last_byte_takes_nothing_back(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.claim()
            header, blob = encode()
            upload = await lab.drivers.upload(driver.principal, job.job_id, job.attempt, results.digest(header))
            await upload.feed(results.prefix(header) + blob)
            # The only thread that stores data is busy until the sender has gone.
            busy, pool = threading.Event(), ThreadPoolExecutor(1)
            asyncio.get_running_loop().set_default_executor(pool)
            pool.submit(busy.wait, 10)
            finishing = asyncio.create_task(upload.finish())
            await turn()
            upload.abort()
            busy.set()
            assert (await finishing)[0] == 201
            path, _ = await lab.jobs.dataset(ANN, job.job_id)
            assert path.read_bytes() == blob

    asyncio.run(dialogue())


def test_a_repeated_upload_is_fine_and_another_result_is_not(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.claim()
            assert (await driver.deliver(job))[0] == 201
            status, again = await driver.deliver(job)
            assert (status, again.accepted, again.status) == (200, True, "completed")
            status, other = await driver.deliver(job, counts={"0x1": 100})
            assert (status, other.accepted) == (200, False)
            assert (await lab.jobs.get(ANN, job.job_id)).counts == [{"00": 60, "11": 40}]

    asyncio.run(dialogue())


def test_a_result_of_an_earlier_attempt_changes_nothing(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            first = await driver.claim()
            assert await driver.report(first, "interrupted")
            second = await driver.claim()
            assert second.attempt == 2
            status, late = await driver.deliver(first)
            assert (status, late.accepted, late.status) == (200, False, "pending")
            assert (await driver.deliver(second))[0] == 201

    asyncio.run(dialogue())


def test_a_driver_of_another_qpu_may_not_deliver(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.qpus.create(ADMIN, QpuIn(name="q2"))
            other = await driver_of(lab, "q2", "d2")
            await other.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.claim()
            with pytest.raises(Forbidden):
                await other.deliver(job)
            with pytest.raises(Forbidden):
                await other.report(job, "errored")
            assert job.program is not None
            with pytest.raises(NotFound):
                await lab.drivers.program(other.principal, job.program.sha256)
            with pytest.raises(Forbidden):
                await lab.drivers.upload(ANN, job.job_id, 1, "0" * 64)

    asyncio.run(dialogue())


@pytest.mark.parametrize("damage", ["blob", "cut", "digest", "header"])
def test_a_damaged_upload_is_refused_and_a_whole_one_taken_after_it(tmp_path: Path, damage: str) -> None:
    header, blob = encode()
    if damage == "header":
        broken = msgspec.json.decode(header)
        del broken["circuits"]
        header = msgspec.json.encode(broken)
    digest = results.digest(header if damage != "digest" else header + b" ")
    body = results.prefix(header) + blob
    if damage == "blob":
        body = body[:-1] + b"?"
    elif damage == "cut":
        body = body[:-1]
    code = {"blob": "bad_checksum", "cut": "truncated", "digest": "bad_checksum", "header": "bad_result"}[damage]

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.claim()
            upload = await lab.drivers.upload(driver.principal, job.job_id, 1, digest)
            with pytest.raises(Rejected) as caught:
                await whole(upload, body)
            upload.abort()
            assert caught.value.code == code
            assert not list((tmp_path / "blobs").glob(".tmp-*"))
            assert (await driver.deliver(job))[0] == 201

    asyncio.run(dialogue())


def test_a_large_result_streams_through(tmp_path: Path) -> None:
    blob = zipped(bytes(range(256)) * 20_000)
    header, _ = encode(blob=blob)
    body = results.prefix(header) + blob

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.claim()
            upload = await lab.drivers.upload(driver.principal, job.job_id, 1, results.digest(header))
            for start in range(0, len(body), 100_003):
                await upload.feed(body[start : start + 100_003])
            assert (await upload.finish())[0] == 201
            path, info = await lab.jobs.dataset(ANN, job.job_id)
            assert (path.read_bytes(), info.bytes) == (blob, len(blob))

    asyncio.run(dialogue())


def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    header, _ = encode(blob=b"x" * 5_000_000)

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.claim()
            upload = await lab.drivers.upload(driver.principal, job.job_id, 1, results.digest(header))
            await upload.feed(results.prefix(header) + b"x" * 2_000_000)
            await upload.feed(b"x" * 2_000_000)
            upload.abort()
            upload.abort()
            # a thread may still write
            await until(lambda: not list((tmp_path / "blobs").glob(".tmp-*")))

    asyncio.run(dialogue())


async def whole(upload: Upload, body: bytes) -> None:
    await upload.feed(body)
    await upload.finish()


# Cancel

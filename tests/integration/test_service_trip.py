"""One job's trip through the service, with a scripted driver at the other end."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from qpi_jupyter.core.accounting import EntryKind
from qpi_jupyter.core.errors import Conflict, Forbidden, NotFound, Rejected
from qpi_jupyter.core.manifest import Estimate
from qpi_jupyter.core.programs import unpack
from qpi_jupyter.wire import results
from qpi_jupyter.wire.frames import Held, Prepared
from qpi_jupyter.wire.rest import DriverIn, JobModel, OptionsIn, QpuIn
from qpi_server.service import Upload
from qpi_server.store import facts
from tests.faults.lab import ADMIN, ANN, BELL, BOB, bell, driver_of, encode, open_lab, small_lab, turn


def test_a_bell_job_goes_all_the_way(tmp_path: Path) -> None:
    async def dialogue() -> JobModel:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            claim = asyncio.create_task(driver.claim())
            job, created = await lab.jobs.submit(ANN, bell())
            assert created
            assert (job.status, job.checked, job.attempt) == ("pending", True, 0)
            waiting = asyncio.create_task(lab.jobs.get(ANN, job.id, wait_s=30))
            given = await claim
            assert (given.job_id, given.attempt) == (job.id, 1)
            assert given.program is not None
            assert given.program.sources == [BELL.encode()]
            await driver.started(given)
            assert (await lab.jobs.get(ANN, job.id)).phase == "running"
            status, stored = await driver.deliver(given)
            assert (status, stored.accepted) == (201, True)
            done = await waiting
            result = await lab.jobs.result(ANN, job.id)
            assert result["results"][0]["data"]["counts"] == {"0x0": 60, "0x3": 40}
            path, info = await lab.jobs.dataset(ANN, job.id)
            assert path.read_bytes() == b"PK data"
            assert info == done.dataset
            assert unpack(await lab.jobs.program(ANN, job.id)) == (BELL.encode(),)
            assert (await lab.qpus.list(ANN)).qpus[0].queued == 0
            return done

    job = asyncio.run(dialogue())
    assert job.status == "completed"
    assert job.counts == [{"00": 60, "11": 40}]
    assert job.busy_s == 0.25
    assert job.progress == 1.0


def test_the_submit_and_its_assignment_share_a_commit(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            claim = asyncio.create_task(driver.claim())
            await lab.jobs.submit(ANN, bell())  # this one may meet the claim's own look at the queue
            await driver.deliver(await claim)
            claim = asyncio.create_task(driver.claim())
            await turn()
            commits: list[int] = []
            lab._room.store._on_commit = lambda units, seconds: commits.append(units)  # type: ignore[attr-defined]
            await lab.jobs.submit(ANN, bell())
            assert (await claim).job_id
            assert commits == [2]

    asyncio.run(dialogue())


def test_an_idle_lab_answers_a_parked_claim_with_nothing_after_the_reask_time(tmp_path: Path) -> None:
    async def dialogue() -> str:
        async with small_lab(tmp_path, reask_s=0.05) as (_, driver):
            await driver.connect()
            return (await driver.claim()).job_id

    assert asyncio.run(dialogue()) == ""


def test_a_driver_has_one_running_and_one_staged_job_a_place(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"places": 1}) as (lab, driver):
            await driver.connect()
            for _ in range(3):
                await lab.jobs.submit(ANN, bell())
            first, second = await driver.claim(), await driver.claim()
            third = asyncio.create_task(driver.claim())
            await turn()
            assert not third.done()
            await driver.deliver(first)
            assert (await third).job_id not in {first.job_id, second.job_id, ""}

    asyncio.run(dialogue())


def test_claims_of_two_drivers_get_different_jobs_and_the_idle_driver_comes_first(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, one):
            two = await driver_of(lab, "q1", "d2")
            await one.connect()
            await two.connect()
            await lab.jobs.submit(ANN, bell())
            await one.claim()
            staged, idle = asyncio.create_task(one.claim()), asyncio.create_task(two.claim())
            await turn()
            await lab.jobs.submit(ANN, bell())
            assert (await idle).job_id
            assert not staged.done()
            await lab.jobs.submit(ANN, bell())
            assert (await staged).job_id != (await idle).job_id

    asyncio.run(dialogue())


def test_priority_then_age(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"places": 2}) as (lab, driver):
            await driver.connect()
            ids = [(await lab.jobs.submit(ANN, bell(priority=p)))[0].id for p in (0, 0, 5)]
            assert [(await driver.claim()).job_id for _ in ids] == [ids[2], ids[0], ids[1]]

    asyncio.run(dialogue())


# Delivery


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
    blob = bytes(range(256)) * 20_000
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

    asyncio.run(dialogue())
    assert not list((tmp_path / "blobs").glob(".tmp-*"))


async def whole(upload: Upload, body: bytes) -> None:
    await upload.feed(body)
    await upload.finish()


# Cancel


def test_cancel_of_a_waiting_job_is_at_once(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            job, _ = await lab.jobs.submit(ANN, bell())
            assert (await lab.jobs.cancel(ANN, job.id)).status == "cancelled"
            assert (await lab.jobs.cancel(ANN, job.id)).status == "cancelled"
            with pytest.raises(NotFound):
                await lab.jobs.cancel(BOB, job.id)

    asyncio.run(dialogue())


def test_cancel_tells_the_driver_and_again_at_its_heartbeat(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await driver.started(given)
            assert (await lab.jobs.cancel(ANN, job.id)).phase == "cancelling"
            assert (await driver.aborts.get()).job_id == job.id
            await driver.heartbeat(Held(job_id=job.id, attempt=1))
            assert (await driver.aborts.get()).attempt == 1
            assert await driver.report(given, "aborted", busy_s=0.1)
            done = await lab.jobs.get(ANN, job.id)
            assert (done.status, done.busy_s) == ("cancelled", 0.1)

    asyncio.run(dialogue())


def test_a_result_beats_a_cancel(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await driver.started(given)
            await lab.jobs.cancel(ANN, job.id)
            assert (await driver.deliver(given))[0] == 201
            assert (await lab.jobs.get(ANN, job.id)).status == "completed"
            assert not await driver.report(given, "aborted") or (await lab.jobs.get(ANN, job.id)).status == "completed"

    asyncio.run(dialogue())


def test_a_late_start_of_a_cancelled_job_is_aborted(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await lab.jobs.cancel(ANN, job.id)
            await driver.aborts.get()
            await driver.report(given, "released")
            assert (await lab.jobs.get(ANN, job.id)).status == "cancelled"
            await driver.started(given)
            assert (await driver.aborts.get()).job_id == job.id

    asyncio.run(dialogue())


# Reports and the ledger


def test_a_program_at_fault_fails_with_the_drivers_words(tmp_path: Path) -> None:
    error = {"kind": "ProgramError", "code": "bad_program", "message": "no such gate", "data": {"line": 3, "column": 7}}

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            await driver.report(await driver.claim(), "errored", error=error)
            done = await lab.jobs.get(ANN, job.id)
            assert done.status == "failed"
            assert done.error is not None
            assert (done.error.message, done.error.data["line"]) == ("no such gate", 3)
            with pytest.raises(Conflict) as caught:
                await lab.jobs.result(ANN, job.id)
            assert caught.value.data["error"]["code"] == "bad_program"

    asyncio.run(dialogue())


def test_every_attempt_is_held_once_and_settled_or_refunded_once(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            driver.answer = lambda prepare: Prepared(estimate=Estimate(estimate_s=2.0, upper_s=3.0))
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            await driver.report(await driver.claim(), "interrupted")
            await driver.report(await driver.claim(), "released")
            third = await driver.claim()
            await driver.deliver(third, busy_s=1.5)
            await driver.deliver(third, busy_s=1.5)
            entries = await lab._room.store.read(lambda c: facts.entries(c, job.id))
            kinds = [(entry.attempt, entry.kind) for entry in entries]
            assert kinds == [
                (1, EntryKind.HOLD),
                (1, EntryKind.REFUND),
                (2, EntryKind.HOLD),
                (2, EntryKind.REFUND),
                (3, EntryKind.HOLD),
                (3, EntryKind.SETTLE),
            ]
            assert await lab._room.store.read(lambda c: facts.balance(c, "ann")) == -1.5

    asyncio.run(dialogue())


def test_three_interruptions_and_a_simulators_job_has_failed(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            for attempt in (1, 2, 3):
                given = await driver.claim()
                assert given.attempt == attempt
                await driver.report(given, "interrupted")
            assert (await lab.jobs.get(ANN, job.id)).status == "failed"

    asyncio.run(dialogue())


def test_progress_moves_the_version_and_wakes_readers(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            given = await driver.claim()
            await driver.started(given)
            seen = await lab.jobs.get(ANN, job.id)
            news = asyncio.create_task(lab.jobs.get(ANN, job.id, wait_s=30, version=seen.version))
            await turn()
            await driver.progress(given, 0.5)
            after = await news
            assert after.progress == 0.5
            assert after.version > seen.version
            await driver.deliver(given)
            assert (await lab.jobs.get(ANN, job.id)).version > after.version

    asyncio.run(dialogue())


def test_a_driver_token_starts_a_driver_and_nothing_else(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            await lab.qpus.create(ADMIN, QpuIn(name="q1"))
            made = await lab.people.register_driver(ADMIN, DriverIn(name="d1", qpu="q1"), address="https://lab")
            assert made.token in made.command
            principal = await lab.people.authenticate(made.token)
            with pytest.raises(Forbidden):
                await lab.jobs.submit(principal, bell())
            with pytest.raises(Conflict):
                await lab.people.register_driver(ADMIN, DriverIn(name="d1", qpu="q1"), address="https://lab")

    asyncio.run(dialogue())


def test_options_that_no_frame_can_carry_are_refused(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            options = OptionsIn(shots=1, extra={"noise": "x" * 200_000})
            with pytest.raises(Exception, match="run options") as caught:
                await lab.jobs.submit(ANN, bell(options=options))
            assert caught.value.code == "options_too_large"  # type: ignore[attr-defined]

    asyncio.run(dialogue())

"""What a driver says is checked against the job it is about; what breaks that ends its attempt and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update

from qpi_jupyter.core.errors import Conflict, Forbidden, Rejected, TooMany
from qpi_jupyter.wire import frames, results
from qpi_jupyter.wire.frames import Held, Reading
from qpi_jupyter.wire.jobs import SubmitRequest
from qpi_jupyter.wire.peer import GUEST_REQUESTS, Peer
from qpi_jupyter.wire.rest import CircuitIn, OptionsIn, ProgramIn
from qpi_server.service.drivers import HELLOS
from qpi_server.service.lifecycle import CHARGE_SLACK_S, CLOCK_SLACK_S
from qpi_server.store import telemetry
from qpi_server.store.schema import jobs as job_rows
from qpi_server.store.schema import results as result_rows
from tests.faults.lab import (
    ADMIN,
    ANN,
    BELL,
    DATA,
    HARDWARE,
    FrozenClock,
    ScriptedDriver,
    bell,
    driver_of,
    encode,
    small_lab,
    turn,
)
from tests.support.blobs import zipped

LIES: dict[str, dict[str, Any]] = {
    "more shots than were asked for": {"shots": 101},
    "counts beyond the shots": {"counts": {"0x0": 60, "0x3": 41}},
    "counts below the shots": {"counts": {"0x0": 1}},
    "an outcome of more bits": {"counts": {"0x4": 100}},
    "a number that is no outcome": {"counts": {"3": 100}},
    "an outcome spelt twice": {"counts": {"0x3": 50, "0x03": 50}},
    "negative bits": {"bits": -1},
    "a billion bits": {"bits": 10**9},
    "days of work in no time": {"busy_s": CLOCK_SLACK_S + 1},
    "endless work": {"busy_s": 1e300},
    "no zip": {"blob": b"PK data"},
    "another file in the zip": {"blob": zipped(more={"../../x": b"x"})},
}


@pytest.mark.parametrize("lie", LIES)
def test_a_result_that_cannot_be_this_jobs_ends_its_attempt_as_the_benchs_fault(tmp_path: Path, lie: str) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            for attempt in (1, 2, 3):
                claimed = await driver.claim()
                assert (claimed.job_id, claimed.attempt) == (job.id, attempt)
                with pytest.raises(Rejected) as caught:
                    await driver.deliver(claimed, **LIES[lie])
                assert caught.value.code == "bad_result"
                await driver.report(claimed, "interrupted")  # as an honest driver does: the attempt is over already
            failed = await lab.jobs.get(ANN, job.id)
            assert failed.status == "failed"
            assert failed.error is not None
            assert (failed.error.kind, failed.error.code) == ("Faulted", "bad_result")
            assert failed.error.message.startswith("The driver delivered a result that cannot be used: ")
            assert not list((tmp_path / "blobs").glob("*/??*")), "nothing of it was kept"
            await lab.jobs.submit(ANN, bell())
            assert (await driver.deliver(await driver.claim()))[0] == 201

    asyncio.run(dialogue())


def batch(form: str, count: int, rows: list[int]) -> SubmitRequest:
    circuits = [CircuitIn(shots=10 * (i + 1), parameter_values=[[0.1]] * n) for i, n in enumerate(rows)]
    sources = {"data": [b"QISKIT\x0d"] * count} if form == "qpy" else {"sources": [BELL] * count}
    return SubmitRequest(
        program=ProgramIn(format=form, **sources), options=OptionsIn(shots=5, circuits=circuits), qpu="q1"
    )


def header_of(circuits: list[tuple[int, int]]) -> tuple[bytes, bytes]:
    """A header with a circuit of these numbers and shots each."""
    one = msgspec.json.decode(encode()[0])
    many = [{**one["circuits"][0], "circuit": n, "shots": s, "counts": {"0x0": s}} for n, s in circuits]
    return msgspec.json.encode({**one, "circuits": many}), DATA


async def offer(driver: ScriptedDriver, job: frames.Assignment, circuits: list[tuple[int, int]]) -> int:
    header, blob = header_of(circuits)
    upload = await driver.lab.drivers.upload(driver.principal, job.job_id, job.attempt, results.digest(header))
    await upload.feed(results.prefix(header) + blob)
    return (await upload.finish())[0]


@pytest.mark.parametrize(
    ("form", "count", "rows", "wrong", "right"),
    [
        ("openqasm2", 3, [], [[(0, 5)] * 2, [(0, 5)] * 4, [(0, 6)] * 3], [(0, 5), (1, 5), (2, 5)]),
        ("openqasm2", 2, [2, 0], [[(0, 10)] * 2, [(0, 10), (0, 11), (1, 20)]], [(0, 10), (0, 10), (1, 20)]),
        ("qpy", 1, [1, 3], [[(0, 10)], [(0, 10)] * 5], [(0, 10), (1, 20), (1, 20), (1, 20)]),
        ("qpy", 1, [], [[(0, 6)]], [(n, 5) for n in range(7)]),
    ],
)  # fmt: skip
def test_circuits_and_shots_are_those_that_were_asked_for(
    tmp_path: Path, form: str, count: int, rows: list[int], wrong: list[Any], right: list[tuple[int, int]]
) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            for circuits in wrong:
                job, _ = await lab.jobs.submit(ANN, batch(form, count, rows))
                with pytest.raises(Rejected) as caught:
                    await offer(driver, await driver.claim(), circuits)
                assert caught.value.code == "bad_result"
                await lab.jobs.cancel(ANN, job.id)
            await lab.jobs.submit(ANN, batch(form, count, rows))
            assert await offer(driver, await driver.claim(), right) == 201

    asyncio.run(dialogue())


@pytest.mark.parametrize("outcome", ["result", "errored", "aborted"])
def test_no_more_is_charged_than_the_attempt_has_lasted(tmp_path: Path, outcome: str) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, default_allowance_s=1000.0) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            claimed = await driver.claim()
            await driver.started(claimed)
            clock.advance(2.0)
            if outcome == "result":
                await driver.deliver(claimed, busy_s=3000.0)
            else:
                await driver.report(claimed, outcome, busy_s=3000.0)
            assert (await lab.jobs.get(ANN, job.id)).busy_s == 2.0 + CHARGE_SLACK_S
            assert (await lab.accounts.get(ANN, "ann")).balance_s == 1000.0 - 2.0 - CHARGE_SLACK_S

    asyncio.run(dialogue())


@pytest.mark.parametrize(
    ("manifest", "status"), [({}, "pending"), ({"manifest": HARDWARE}, "failed")], ids=["simulator", "instrument"]
)
def test_a_report_that_cannot_be_read_ends_its_attempt(tmp_path: Path, manifest: dict[str, Any], status: str) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver=manifest) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            claimed = await driver.claim()
            await driver.started(claimed)
            assert await driver.report(claimed, "exploded", busy_s=-1e300)
            after = await lab.jobs.get(ANN, job.id)
            assert after.status == status
            if after.error is not None:
                assert (after.error.kind, after.error.code) == ("Faulted", "bad_frame")

    asyncio.run(dialogue())


@pytest.mark.parametrize("kind", ["Unauthorized", "Forbidden", "NotFound", "Unavailable", "TooMany", "Nonsense"])
def test_a_driver_blames_the_program_or_the_bench_and_nobody_else(tmp_path: Path, kind: str) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            error = {"kind": kind, "code": "c", "message": "m" * 10**5, "data": {"retry_after_s": "soon", "n": 10**40}}
            await driver.report(await driver.claim(), "errored", error=error)
            failed = (await lab.jobs.get(ANN, job.id)).error
            assert failed is not None
            assert (failed.kind, failed.code, len(failed.message)) == ("Faulted", "c", 4_000)

    asyncio.run(dialogue())


def test_an_attempt_belongs_to_the_driver_that_was_given_it(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            claimed = await driver.claim()
            other = await driver_of(lab, "q1", "d2")
            await other.connect()
            for attempt in (other.deliver(claimed), other.report(claimed, "errored")):
                with pytest.raises(Forbidden) as caught:
                    await attempt
                assert caught.value.code == "another_driver"
            await other.started(claimed)
            assert (await lab.jobs.get(ANN, job.id)).phase == "assigned"
            assert (await driver.deliver(claimed))[0] == 201

    asyncio.run(dialogue())


def test_hellos_are_one_a_link_and_not_without_end(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await driver.connect()
            with pytest.raises(Conflict, match="once on each link"):
                await driver.peer.request(frames.HELLO, _hello(driver), frames.Welcome)
            for _ in range(HELLOS - 1):
                driver.unplug()
                await driver.connect()
            driver.unplug()
            with pytest.raises(TooMany, match="too often"):
                await driver.connect()
            assert (await lab.qpus.get(ANN, "q1")).status == "offline"

    asyncio.run(dialogue())


def _hello(driver: ScriptedDriver) -> frames.Hello:
    return frames.Hello(name="d", version="1", instance="i", places=1, manifest=driver.manifest, wire=1)


def test_heartbeats_without_end_keep_it_alive_and_cost_nothing_more(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await driver.connect()
            for beat in range(300):
                body = frames.Heartbeat(
                    epoch=driver.epoch,
                    readings=[Reading(channel=f"c{beat}", value=1.0)],
                    held=[Held(job_id="j", attempt=1)],
                )
                await driver.peer.publish(frames.HEARTBEAT, body)
            assert len((await lab.telemetry.channels(ADMIN, "q1")).channels) < 10

    asyncio.run(dialogue())


def test_a_qpu_has_so_many_channels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "MAX_CHANNELS", 100)

    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            for beat in range(4):
                readings = [Reading(channel=f"c{beat}-{n}", value=1.0) for n in range(60)]
                await driver.peer.publish(frames.HEARTBEAT, frames.Heartbeat(epoch=driver.epoch, readings=readings))
                await lab.telemetry.flush()
                clock.advance(1.0)
                await turn()
            assert 100 <= len((await lab.telemetry.channels(ADMIN, "q1")).channels) < 180

    asyncio.run(dialogue())


def test_a_guests_requests_are_served_so_many_at_once() -> None:
    async def dialogue() -> None:
        serving = asyncio.Event()

        async def never(_data: Any) -> None:
            serving.set()
            await asyncio.Event().wait()

        async def to_there(text: str) -> None:
            await there.receive(text)

        async def to_here(text: str) -> None:
            await here.receive(text)

        here, there = Peer(to_there), Peer(to_here, handlers={"never": never}, guest=True)
        waiting = [
            asyncio.create_task(here.request("never", frames.Reported(accepted=True), frames.Reported))
            for _ in range(GUEST_REQUESTS)
        ]
        await serving.wait()
        with pytest.raises(TooMany, match="at once"):
            await here.request("never", frames.Reported(accepted=True), frames.Reported, timeout=5)
        there.close()
        here.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(dialogue())


def test_rows_that_were_written_when_more_was_believed_stop_nobody(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            done, _ = await lab.jobs.submit(ANN, bell())
            await driver.run()
            waiting, _ = await lab.jobs.submit(ANN, bell())
            raw = msgspec.json.decode(encode()[0])
            raw["circuits"][0] |= {"memory_slots": 10**9, "counts": {"zebra": 3}}
            figures = {
                "estimate_s": -1e6,
                "upper_s": 1e308,
                "busy_s": 1e300,
                "error": {"message": 3, "data": {"n": 10**30}},
            }

            def spoil(connection: Any) -> None:
                connection.execute(update(job_rows).values(figures))
                connection.execute(update(result_rows).values(header=msgspec.json.encode(raw)))

            await lab.context.db.store.write(spoil)
            for job in (await lab.jobs.list(ANN)).jobs:
                assert len(msgspec.json.encode(job)) < 5_000
            assert (await lab.jobs.get(ANN, done.id)).counts is None
            assert (await lab.jobs.get(ANN, waiting.id)).status == "pending"
            with pytest.raises(Conflict, match="dataset can still be downloaded") as caught:
                await lab.jobs.result(ANN, done.id)
            assert caught.value.code == "unreadable_result"
            assert (await lab.jobs.dataset(ANN, done.id))[0].read_bytes() == DATA
            claimed = await driver.claim()
            assert (await driver.deliver(claimed))[0] == 201

    asyncio.run(dialogue())

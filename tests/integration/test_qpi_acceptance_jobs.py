"""What QPI's own tests leave open, from the service's side: one charge, one run, one result, whatever happens.

Each test has the number that the check has in the list that they come from. What takes real processes to be believed
is in ``tests/acceptance`` as well (`test_unhappy_trips`, `test_chaos`).
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import xarray as xr

from qpi_jupyter.core.accounting import Entry, EntryKind
from qpi_jupyter.core.errors import Forbidden
from qpi_jupyter.core.results import format_outcome
from qpi_jupyter.data import codec
from qpi_jupyter.data.build import iq_dataset, plain_slots
from qpi_jupyter.data.conventions import CircuitInfo
from qpi_jupyter.wire import results
from qpi_jupyter.wire.frames import Assignment, Held
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab
from qpi_server.store import facts
from tests.faults.lab import (
    ADMIN,
    ANN,
    HARDWARE,
    FrozenClock,
    ScriptedDriver,
    bell,
    driver_of,
    encode,
    open_lab,
    small_lab,
    turn,
)
from tests.support.web import JUPYTER_TOKEN, serving

LEASE_S = 20.0


def held(job: Assignment) -> Held:
    return Held(job_id=job.job_id, attempt=job.attempt)


async def running(lab: Lab, driver: ScriptedDriver) -> Assignment:
    await lab.jobs.submit(ANN, bell())
    job = await driver.claim()
    await driver.started(job)
    return job


async def until(lab: Lab, job_id: str, phase: str) -> None:
    async with asyncio.timeout(20):
        while (job := await lab.jobs.get(ANN, job_id)).phase != phase:
            await lab.jobs.get(ANN, job_id, wait_s=20, version=job.version)


async def ledger(lab: Lab, job_id: str) -> list[Entry]:
    return await lab.context.db.read(lambda connection: facts.entries(connection, job_id))


def charged(entries: list[Entry]) -> float:
    """What a job cost in all (QPU-seconds)."""
    return -sum(entry.amount_s for entry in entries)


def test_4_a_job_longer_than_the_timeout_but_heart_beating_is_never_started_twice(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, job_timeout_s=60.0) as (lab, driver):
            other = await driver_of(lab, "q1", "d2")
            await driver.connect()
            await other.connect()
            job = await running(lab, driver)
            parked = asyncio.create_task(other.claim())
            for _ in range(60):  # ten times its time limit, thirty leases
                clock.advance(LEASE_S / 2)
                await driver.heartbeat(held(job))
                await other.heartbeat()
            await turn()
            assert not parked.done()
            assert (await lab.jobs.get(ANN, job.job_id)).phase == "running"
            assert (await driver.deliver(job))[1].accepted
            done = await lab.jobs.get(ANN, job.job_id)
            assert (done.status, done.attempt) == ("completed", 1)
            starts = [e for e in (await lab.events.of_job(ANN, job.job_id)).events if e.data.phase == "assigned"]
            assert len(starts) == 1

    asyncio.run(dialogue())


def test_5_a_worker_killed_mid_job_gives_one_retry_one_charge_and_attempt_2_recorded(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            clock.advance(3 * LEASE_S)
            await driver.connect()
            job = await running(lab, driver)
            driver.unplug()  # and it never comes back
            clock.advance(LEASE_S + 1)
            await until(lab, job.job_id, "queued")
            successor = await driver_of(lab, "q1", "d2")
            await successor.connect()
            again = await successor.claim()
            assert (again.job_id, again.attempt) == (job.job_id, 2)
            await successor.started(again)
            await successor.deliver(again, busy_s=0.25)
            done = await lab.jobs.get(ANN, job.job_id)
            assert (done.status, done.attempt, done.busy_s) == ("completed", 2, 0.25)
            entries = await ledger(lab, job.job_id)
            assert charged(entries) == pytest.approx(0.25)
            assert [entry.attempt for entry in entries if entry.kind is EntryKind.SETTLE] == [2]
            assert [entry.attempt for entry in entries if entry.kind is EntryKind.REFUND] == [1]
            events = (await lab.events.of_job(ANN, job.job_id)).events
            drivers = [e.data.driver_name for e in events if e.data.phase == "assigned"]
            assert drivers == ["d1", "d2"]

    asyncio.run(dialogue())


def test_6_cancel_while_running_calls_stop_and_stays_cancelled_when_a_late_result_comes(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, kind="device", driver={"manifest": HARDWARE}) as (lab, driver):
            await driver.connect()
            job = await running(lab, driver)
            await lab.jobs.cancel(ANN, job.job_id)
            stop = await driver.aborts.get()
            assert (stop.job_id, stop.attempt) == (job.job_id, 1)
            assert await driver.report(job, "aborted", busy_s=0.1)
            assert (await driver.deliver(job))[1].accepted is False
            done = await lab.jobs.get(ANN, job.job_id)
            assert (done.status, done.dataset) == ("cancelled", None)
            assert charged(await ledger(lab, job.job_id)) == pytest.approx(0.1)

    asyncio.run(dialogue())


def test_7_a_late_or_duplicate_result_is_rejected_by_attempt_id(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            first = await driver.claim()
            assert await driver.report(first, "interrupted")
            second = await driver.claim()
            for attempt in (1, 3, 99):
                status, answer = await driver.deliver(second, attempt=attempt)
                assert (status, answer.accepted) == (200, False)
                assert (await lab.jobs.get(ANN, second.job_id)).phase == "assigned"
            assert (await driver.deliver(second))[1].accepted
            assert (await driver.deliver(second, counts={"0x1": 100}))[1].accepted is False
            done = await lab.jobs.get(ANN, second.job_id)
            assert (done.attempt, done.counts) == (2, [{"00": 60, "11": 40}])
            assert charged(await ledger(lab, second.job_id)) == pytest.approx(0.25)

    asyncio.run(dialogue())


def test_8_after_a_server_restart_with_a_running_job_the_driver_reattaches_and_it_finishes_once(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job = await running(lab, driver)
        async with open_lab(tmp_path) as lab:
            driver.lab = lab
            welcome = await driver.connect([held(job)])
            assert welcome.drop == []
            assert (await lab.jobs.get(ANN, job.job_id)).phase == "running"
            assert (await driver.deliver(job))[1].accepted
            done = await lab.jobs.get(ANN, job.job_id)
            assert (done.status, done.attempt) == ("completed", 1)
            entries = await ledger(lab, job.job_id)
            assert [entry.kind for entry in entries].count(EntryKind.SETTLE) == 1
            ends = [e for e in (await lab.events.of_job(ANN, job.job_id)).events if e.data.status == "completed"]
            assert len(ends) == 1

    asyncio.run(dialogue())


def test_11_a_circuit_of_25_classical_bits_returns_sparse_counts(tmp_path: Path) -> None:
    outcomes = {hex(0): 40, hex(2**25 - 1): 55, hex(2**24 + 1): 5}

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.claim()
            await driver.deliver(job, counts=outcomes, bits=25)
            model = await lab.jobs.get(ANN, job.job_id)
            assert model.counts == [{"0" * 25: 40, "1" * 25: 55, "1" + "0" * 23 + "1": 5}]
            assert format_outcome(2**24 + 1, [("c", 25)], 25) in model.counts[0]
            [experiment] = (await lab.jobs.result(ANN, job.job_id))["results"]
            assert experiment["data"]["counts"] == outcomes
            assert experiment["header"]["memory_slots"] == 25

    asyncio.run(dialogue())


class Remote(io.RawIOBase):
    """A part of a dataset in a lab as a file: every read asks for no more than it needs."""

    def __init__(self, client: httpx.Client, address: str, *, start: int = 0, size: int) -> None:
        self._client, self._address, self._start, self._size = client, address, start, size
        self._at = self.fetched = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        first = self._start + self._at
        part = self._client.get(self._address, headers={"Range": f"bytes={first}-{first + length - 1}"})
        assert part.status_code == 206
        buffer[:length] = part.content
        self._at += length
        self.fetched += length
        return length


def test_12_a_50_mb_iq_result_is_stored_and_readable_in_slices(tmp_path: Path) -> None:
    shots, slots = 330_000, 10
    points = np.random.default_rng(5).normal(size=(shots, slots, 2)).view(np.complex128)[..., 0]
    info = CircuitInfo(
        name="iq", circuit=0, row=0, shots=shots, meas_level=1, meas_return="single", creg_sizes=(("c", slots),),
        qreg_sizes=(("q", slots),), memory_slots=slots, n_qubits=slots,
    )  # fmt: skip
    blob = codec.encode([iq_dataset(info, points, plain_slots(slots))])
    assert len(blob) > 50 << 20
    header, _ = encode(blob=blob)
    body = results.prefix(header) + blob

    def read_a_slice(url: str, job_id: str) -> tuple[Any, int]:
        headers = {"Authorization": f"token {JUPYTER_TOKEN}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=120) as client:
            address = f"qpi/v1/jobs/{job_id}/dataset"
            whole = Remote(client, address, size=len(blob))
            with zipfile.ZipFile(whole) as archive:
                entry = archive.getinfo("0.nc")
            whole.seek(entry.header_offset + 26)
            names = sum(struct.unpack("<HH", whole.read(4)))
            # Nothing in the archive is compressed, so a part of it is the NetCDF file.
            inner = Remote(client, address, start=entry.header_offset + 30 + names, size=entry.file_size)
            with xr.open_dataset(inner, engine="h5netcdf") as dataset:  # type: ignore[arg-type]
                part = dataset["iq"].isel(shot=slice(200_000, 200_100)).values
        return part, whole.fetched + inner.fetched

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver), serving(lab) as url:
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            job = await driver.claim()
            upload = await lab.drivers.upload(driver.principal, job.job_id, 1, results.digest(header))
            for start in range(0, len(body), 1 << 20):
                await upload.feed(body[start : start + (1 << 20)])
            assert (await upload.finish())[1].accepted
            _, stored = await lab.jobs.dataset(ANN, job.job_id)
            assert (stored.bytes, stored.sha256) == (len(blob), hashlib.sha256(blob).hexdigest())
            part, fetched = await asyncio.to_thread(read_a_slice, url, job.job_id)
            wanted = points[200_000:200_100]
            assert np.array_equal(part[..., 0] + 1j * part[..., 1], wanted)
            assert fetched < len(blob) / 10

    asyncio.run(dialogue())


def test_13_a_monitor_attached_to_the_qpu_never_receives_a_job(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, kind="device", driver={"manifest": HARDWARE}) as (lab, driver):
            monitor = await driver_of(lab, "q1", "cryostat", manifest=HARDWARE, monitor=True)
            await monitor.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            with pytest.raises(Forbidden, match="monitor"):
                await monitor.claim()
            assert monitor.prepared == []
            assert (await lab.jobs.get(ANN, job.id)).phase == "queued"
            await driver.connect()
            assert (await driver.claim()).job_id == job.id

    asyncio.run(dialogue())


def test_14_a_wrong_drivers_result_for_another_qpu_is_refused(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.qpus.create(ADMIN, QpuIn(name="q2"))
            other = await driver_of(lab, "q2", "d2")
            await other.connect()
            job = await running(lab, driver)
            for stranger in (other.principal, ADMIN, ANN):
                with pytest.raises(Forbidden):
                    await lab.drivers.upload(stranger, job.job_id, job.attempt, "0" * 64)
            assert (await lab.jobs.get(ANN, job.job_id)).phase == "running"
            assert (await driver.deliver(job))[1].accepted

    asyncio.run(dialogue())

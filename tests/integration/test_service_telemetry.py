"""Readings come with heartbeats, are kept, summed up and pruned; calibrations are kept whole."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from qpi_jupyter.core.errors import NotFound, Rejected
from qpi_jupyter.core.manifest import GateProperties, QubitProperties
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import MAX_READINGS, Heartbeat, Reading
from qpi_server.service import Lab
from qpi_server.service.telemetry import LOAD
from qpi_server.store.schema import channels, readings
from tests.faults.lab import ADMIN, ANN, SIMULATOR, FrozenClock, ScriptedDriver, bell, small_lab, turn

CALIBRATED = replace(
    SIMULATOR,
    qubits=(QubitProperties(t1_s=1e-4, readout_error=0.01),),
    gates=(GateProperties(gate="cx", qubits=(0, 1), error=0.005),),
)


async def beat(driver: ScriptedDriver, *values: Reading) -> None:
    await driver.peer.publish(frames.HEARTBEAT, Heartbeat(epoch=driver.epoch, readings=list(values)))


async def rows(lab: Lab, width_s: int) -> int:
    """How many readings there are of what drivers say."""
    query = select(func.count()).select_from(readings.join(channels)).where(readings.c.width_s == width_s)
    query = query.where(~channels.c.name.startswith(LOAD))
    return await lab.context.db.read(lambda connection: int(connection.execute(query).scalar_one()))


def test_a_reading_shows_at_once_and_is_written_with_others(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            await beat(driver, Reading(channel="mxc", value=0.012, unit="K"))
            found = await lab.telemetry.channels(ANN, "q1")
            assert [(c.name, c.value, c.unit, c.calibration) for c in found.channels] == [("mxc", 0.012, "K", False)]
            assert await rows(lab, 0) == 0
            clock.advance(10.0)
            await turn()
            await lab.context.db.store.write(lambda connection: None)
            assert (await rows(lab, 0), await rows(lab, 60), await rows(lab, 3600)) == (1, 1, 1)

    asyncio.run(main())


def test_a_series_has_every_reading_or_sums_them_up(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            await driver.connect()
            for value in range(120):
                await beat(driver, Reading(channel="cpu", value=float(value), unit="%"))
                clock.advance(2.0)
            fine = await lab.telemetry.series(ANN, "q1", "cpu")
            assert [point.mean for point in fine.points] == [float(value) for value in range(120)]
            coarse = await lab.telemetry.series(ANN, "q1", "cpu", points=12)
            assert len(coarse.points) <= 12
            assert sum(point.n for point in coarse.points) == 120
            assert (coarse.points[0].lowest, coarse.points[-1].highest) == (0.0, 119.0)
            assert sum(point.mean * point.n for point in coarse.points) == pytest.approx(sum(range(120)))

    asyncio.run(main())


def test_old_readings_are_summed_up_and_calibrations_kept(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, driver={"manifest": CALIBRATED}) as (lab, driver):
            await driver.connect()
            await turn()
            await beat(driver, Reading(channel="cpu", value=1.0, unit="%"))
            start = clock.now()
            clock.advance(86_400 * 2.0)
            driver.unplug()
            await driver.connect()
            await beat(driver, Reading(channel="cpu", value=3.0, unit="%"))
            await lab.telemetry.flush()
            assert await rows(lab, 0) == 1 + 3, "one reading of a day and three calibrations"
            old = await lab.telemetry.series(ANN, "q1", "cpu", start=start - timedelta(hours=1))
            assert [point.mean for point in old.points] == [1.0, 3.0]
            t1 = await lab.telemetry.series(ANN, "q1", "q0/t1", start=start - timedelta(days=400))
            assert [point.mean for point in t1.points] == [1e-4]
            names = [c.name for c in (await lab.telemetry.channels(ANN, "q1")).channels if not c.name.startswith(LOAD)]
            assert names == ["cpu", "cx/0-1/error", "q0/readout_error", "q0/t1"]

    asyncio.run(main())


def test_a_new_calibration_is_one_more_point(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, driver={"manifest": CALIBRATED}) as (lab, driver):
            await driver.connect()
            await turn()
            clock.advance(60.0)
            driver.manifest = replace(CALIBRATED, qubits=(QubitProperties(t1_s=2e-4, readout_error=0.01),))
            driver.unplug()
            await driver.connect()
            await lab.context.db.store.write(lambda connection: None)
            t1 = await lab.telemetry.series(ANN, "q1", "q0/t1")
            assert [point.mean for point in t1.points] == [1e-4, 2e-4]
            error = await lab.telemetry.series(ANN, "q1", "q0/readout_error")
            assert len(error.points) == 1

    asyncio.run(main())


def test_nonsense_is_left_out_and_unknown_channels_are_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await driver.connect()
            for bad in (
                Reading(channel="", value=1.0),
                Reading(channel="x", value=1e31),
                Reading(channel="a\nb", value=1.0),
            ):
                await beat(driver, bad)
            await beat(driver, *(Reading(channel=f"c{n}", value=1.0) for n in range(MAX_READINGS + 1)))
            assert (await lab.telemetry.channels(ANN, "q1")).channels == []
            await beat(driver, *(Reading(channel=f"c{n}", value=1.0) for n in range(MAX_READINGS)))
            assert len((await lab.telemetry.channels(ANN, "q1")).channels) == MAX_READINGS
            with pytest.raises(NotFound, match="no channel 'y'"):
                await lab.telemetry.series(ANN, "q1", "y")
            with pytest.raises(NotFound, match="no QPU"):
                await lab.telemetry.channels(ANN, "nowhere")
            now = lab.context.now()
            with pytest.raises(Rejected, match="before end"):
                await lab.telemetry.series(ANN, "q1", "c0", start=now, end=now)

    asyncio.run(main())


def test_the_queue_and_the_share_of_taken_places_are_kept_over_time(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, driver={"places": 2}) as (lab, driver):
            await driver.connect()
            await beat(driver, Reading(channel="cpu", value=1.0, unit="%"))
            await lab.telemetry.flush()
            for _ in range(3):
                await lab.jobs.submit(ANN, bell())
            await driver.started(await driver.claim())
            await driver.claim()  # staged: it waits
            for _ in range(3):  # looked at thrice within the same interval
                clock.advance(4.0)
                await beat(driver, Reading(channel="cpu", value=1.0, unit="%"))
                await lab.telemetry.flush()
            found = {name: await lab.telemetry.series(ANN, "q1", f"lab/{name}") for name in ("queued", "utilisation")}
            assert [point.mean for point in found["queued"].points] == [0.0, 2.0]
            assert [point.mean for point in found["utilisation"].points] == [0.0, 50.0]
            assert found["utilisation"].unit == "%"

    asyncio.run(main())


def test_a_qpu_names_its_drivers_and_their_machines_to_operators_only(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, driver={"places": 2, "host": "control-pc"}) as (lab, driver):
            (before,) = (await lab.qpus.drivers(ANN, "q1")).drivers
            assert (before.name, before.linked, before.seen_at) == ("d1", False, None)
            await driver.connect()
            hello_at = clock.now()
            clock.advance(2.0)
            await driver.heartbeat()
            (linked,) = (await lab.qpus.drivers(ANN, "q1")).drivers
            assert (linked.linked, linked.version, linked.places, linked.host) == (True, "1", 2, None)
            assert (linked.hello_at, linked.seen_at) == (hello_at, clock.now())
            (whole,) = (await lab.qpus.drivers(ADMIN, "q1")).drivers
            assert whole.host == "control-pc"
            driver.unplug()
            clock.advance(60.0)
            (gone,) = (await lab.qpus.drivers(ANN, "q1")).drivers
            assert (gone.linked, gone.seen_at) == (False, linked.seen_at)
            with pytest.raises(NotFound, match="no QPU"):
                await lab.qpus.drivers(ANN, "nowhere")

    asyncio.run(main())

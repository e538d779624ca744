"""Calibrations: kept whenever the id changes, told, listed; jobs that are for one of them alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from qpi_jupyter.core import Calibration, GateProperties, NotFound, QubitProperties, Rejected
from qpi_jupyter.wire.events import QpuCalibrated
from qpi_server.service import Lab
from qpi_server.service.telemetry.calibrations import KEPT
from tests.faults.lab import ANN, SIMULATOR, FrozenClock, ScriptedDriver, bell, settled, small_lab

CX = GateProperties(gate="cx", qubits=(0, 1), error=0.005, duration_s=3e-7)
CALIBRATED = replace(SIMULATOR, qubits=(QubitProperties(t1_s=1e-4), QubitProperties(t1_s=2e-4)), gates=(CX,))


def made(name: str, t1_s: float = 3e-4) -> Calibration:
    return Calibration(id=name, qubits=(QubitProperties(t1_s=t1_s),), gates=(CX,))


async def ids(lab: Lab) -> list[str]:
    return [one.id for one in (await lab.calibrations.page(ANN, "q1")).calibrations]


def test_a_calibration_is_kept_when_its_id_changes_and_everybody_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, lease_s=1e9, driver={"manifest": CALIBRATED}) as (lab, driver):
            await driver.connect()
            await settled(lab)
            first = (await lab.qpus.get(ANN, "q1")).manifest
            assert first is not None
            driver.unplug()
            await driver.connect()
            await settled(lab)
            assert await ids(lab) == [first.calibration_id]

            clock.advance(60.0)
            assert await driver.recalibrate(made("b"))
            assert await driver.recalibrate(made("b", 9e-4)), "the id is what counts"
            found = await lab.qpus.get(ANN, "q1")
            assert found.manifest is not None
            assert found.manifest.calibration_id == "b"
            assert await ids(lab) == ["b", first.calibration_id]
            told = [e for e in (await lab.events.page(ANN, after=0, limit=100)).events if isinstance(e, QpuCalibrated)]
            assert [event.data.calibration_id for event in told] == [first.calibration_id, "b"]
            t1 = await lab.telemetry.series(ANN, "q1", "q0/t1")
            assert [point.mean for point in t1.points] == [1e-4, 3e-4]

    asyncio.run(main())


def test_the_history_is_paged_and_filtered(tmp_path: Path) -> None:
    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, lease_s=1e9, driver={"manifest": CALIBRATED}) as (lab, driver):
            await driver.connect()
            await settled(lab)
            start = clock.now()
            for name in "abc":
                clock.advance(3600.0)
                await driver.recalibrate(replace(made(name), at=clock.now() - timedelta(seconds=60)))
            page = await lab.calibrations.page(ANN, "q1", limit=2)
            assert [one.id for one in page.calibrations] == ["c", "b"]
            rest = await lab.calibrations.page(ANN, "q1", limit=2, after=page.next)
            assert [one.id for one in rest.calibrations][:1] == ["a"]
            assert rest.calibrations[0].at == start + timedelta(seconds=3540)
            later = await lab.calibrations.page(ANN, "q1", start=start + timedelta(seconds=3600), end=clock.now())
            assert [one.id for one in later.calibrations] == ["c", "b"]
            only = (await lab.calibrations.page(ANN, "q1", qubit=1, quantity="error", limit=1)).calibrations
            assert [(f.gate, f.qubits, f.quantity, f.value, f.unit) for f in only[0].figures] == [
                ("cx", [0, 1], "error", 0.005, "")
            ]
            with pytest.raises(Rejected, match="before end"):
                await lab.calibrations.page(ANN, "q1", start=start, end=start)
            with pytest.raises(NotFound, match="no QPU"):
                await lab.calibrations.page(ANN, "nowhere")

    asyncio.run(main())


def test_a_page_has_only_so_many_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qpi_server.service.telemetry.calibrations.MAX_FIGURES", 7)

    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, lease_s=1e9) as (lab, driver):
            await driver.connect()
            for name in "abcde":
                clock.advance(60.0)
                assert await driver.recalibrate(made(name))
            found, after = [], None
            while True:
                page = await lab.calibrations.page(ANN, "q1", after=after)
                found.append([one.id for one in page.calibrations])
                if (after := page.next) is None:
                    break
            assert found == [["e", "d"], ["c", "b"], ["a"]], "of three figures each"
            assert len((await lab.calibrations.page(ANN, "q1", quantity="t1")).calibrations) == 5
            monkeypatch.setattr("qpi_server.service.telemetry.calibrations.MAX_FIGURES", 1)
            assert [one.id for one in (await lab.calibrations.page(ANN, "q1")).calibrations] == ["e"]

    asyncio.run(main())


def test_only_so_many_are_kept_and_none_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qpi_server.service.telemetry.calibrations.MOST", 3)

    async def main() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, lease_s=1e9) as (lab, driver):
            await driver.connect()
            for name in "abcde":
                clock.advance(60.0)
                assert await driver.recalibrate(made(name))
            assert await ids(lab) == ["e", "d", "c"]
            clock.advance(KEPT.total_seconds() + 1.0)
            driver.unplug()
            await driver.connect()
            assert await ids(lab) == ["e", "d", "c"], "it is still the present one"
            await driver.recalibrate(made("f"))
            assert await ids(lab) == ["f"]

    asyncio.run(main())


def test_a_driver_that_recalibrates_without_end_is_not_heard_without_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await driver.connect()
            taken = [await driver.recalibrate(made(f"c{n}")) for n in range(200)]
            assert taken[0]
            assert not taken[-1]
            assert len(await ids(lab)) == sum(taken)

    asyncio.run(main())


def test_a_calibration_of_more_qubits_than_there_are_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await driver.connect()
            with pytest.raises(Rejected, match="q1 cannot have this calibration"):
                await driver.recalibrate(Calibration(qubits=(QubitProperties(t1_s=1e-4),) * 6))
            assert await ids(lab) == []

    asyncio.run(main())


async def calibrated(lab: Lab, driver: ScriptedDriver, name: str) -> None:
    await driver.connect()
    await driver.recalibrate(made(name))


def test_a_job_for_another_calibration_is_refused_at_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await calibrated(lab, driver, "a")
            await driver.recalibrate(made("b"))
            with pytest.raises(Rejected, match="for calibration a of q1, and its calibration is b now"):
                await lab.jobs.submit(ANN, bell(calibration="a"))
            with pytest.raises(Rejected, match="q1 has had no calibration 'z'; the present one is b") as caught:
                await lab.jobs.submit(ANN, bell(calibration="z"))
            assert caught.value.code == "unknown_calibration"
            with pytest.raises(Rejected, match="Name the QPU"):
                await lab.jobs.submit(ANN, bell(None, calibration="b"))
            job, _ = await lab.jobs.submit(ANN, bell(calibration="b"))
            assert job.calibration == "b"
            assignment = await driver.claim()
            assert (assignment.job_id, assignment.calibration) == (job.id, "b")

    asyncio.run(main())


def test_a_job_whose_calibration_goes_while_it_waits_ends_with_the_reason(tmp_path: Path) -> None:
    async def main() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await calibrated(lab, driver, "a")
            doomed, _ = await lab.jobs.submit(ANN, bell(calibration="a"))
            other, _ = await lab.jobs.submit(ANN, bell())
            await driver.recalibrate(made("b"))
            assert (await driver.claim()).job_id == other.id, "the next one does not wait for it"
            ended = await lab.jobs.get(ANN, doomed.id)
            assert ended.status == "failed"
            assert ended.error is not None
            assert (ended.error.code, ended.attempt) == ("other_calibration", 0)
            assert "its calibration is b now" in ended.error.message

    asyncio.run(main())


def test_results_are_found_by_the_calibration_they_were_measured_with(tmp_path: Path) -> None:
    async def main() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await calibrated(lab, driver, "a-1")
            for name in ("a-1", "a-1", "b-2", ""):
                await lab.jobs.submit(ANN, bell(name=name))
                await driver.deliver(await driver.claim(), calibration_id=name)
            for wanted in ({"calibration": "a-1"}, {"text": "A-1"}):
                found = (await lab.jobs.list(ANN, **wanted)).jobs
                assert [(job.name, job.calibration_id) for job in found] == [("a-1", "a-1")] * 2
            everything = (await lab.jobs.list(ANN)).jobs
            assert [job.calibration_id for job in everything] == [None, "b-2", "a-1", "a-1"]

    asyncio.run(main())

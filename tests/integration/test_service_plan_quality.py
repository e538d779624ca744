"""Fragments that were measured with a bad calibration: kept, and measured once more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from qpi_jupyter.core import (
    Calibration,
    Faulted,
    Manifest,
    calibration_of,
)
from qpi_server.service import Lab
from qpi_server.service.plans import planning
from tests.faults.lab import ANN, FrozenClock, settled
from tests.integration.test_service_plans import Drivers, InProcess, ghz, in_lab
from tests.support.plan_runs import COUNTS, TWO, looked, states, submitted
from tests.support.waiting import PATIENCE_S


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "Worker", InProcess)


def worse(manifest: Manifest, error: float, name: str) -> Calibration:
    """Another calibration of a chip, with that error of its CX."""
    gates = tuple(replace(one, error=error) for one in manifest.gates)
    return replace(calibration_of(manifest), gates=gates, id=name)


Ends = tuple[float, float, str]
"""The errors of CX that the results of q1 and q2 were measured with, and whose result counts."""


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("ends", [(0.3, 0.02, "q2"), (0.2, 0.3, "q1")], ids=["second", "first"])
def test_a_result_of_a_bad_calibration_is_kept_and_measured_again_once_and_the_better_counts(
    tmp_path: Path, ends: Ends
) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        first_error, second_error, best = ends
        plan = await lab.plans.plan(ANN, ghz(4, shots=100, min_fidelity=0.9))
        job_id = await submitted(lab, plan)
        await settled(lab)
        one = await drivers["q1"].claim()
        await drivers["q1"].recalibrate(worse(TWO["q1"], first_error, "noon"))
        await drivers["q1"].started(one)
        await drivers["q1"].recalibrate(worse(TWO["q1"], 0.01, "evening"))
        await drivers["q1"].deliver(one, counts=COUNTS, bits=4, calibration_id="noon")
        run = await looked(lab, job_id)
        assert [states(fragment) for fragment in run.fragments] == [[("q1", "executed"), ("q2", "committed")]]
        fragment = run.fragments[0]
        assert (fragment.repeated, fragment.job_id != one.job_id) == (True, True)
        assert fragment.reservations[0].observed_esp == pytest.approx((1 - first_error) ** 3)
        assert (await lab.jobs.get(ANN, fragment.job_id)).parent == job_id
        two = await drivers["q2"].claim()
        await drivers["q2"].recalibrate(worse(TWO["q2"], second_error, "noon"))
        await drivers["q2"].started(two)
        await drivers["q2"].deliver(two, counts={"0x0": 100}, bits=4, calibration_id="noon")
        job = await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)
        assert job.counts == ([{"0000": 100}] if best == "q2" else [{"0000": 60, "1111": 40}])
        run = await looked(lab, job_id)
        fragment = run.fragments[0]
        assert (fragment.qpu, fragment.below, len(fragment.attempts)) == (best, best == "q1", 2)
        told = (await lab.jobs.result(ANN, job_id))["results"][0]["header"]["metadata"]["plan"]["fragments"]
        assert [(part["qpu"], part["repeated"], part["below_min_fidelity"]) for part in told] == [
            (best, True, best == "q1")
        ]  # fmt: skip
        assert told[0]["observed_esp"] == pytest.approx((1 - (second_error if best == "q2" else first_error)) ** 3)
        assert run.cost_s == 0.5
        assert (await lab.jobs.get(ANN, one.job_id)).status == "completed"

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("end", ["fails", "cancelled", "late", "no fallback"])
def test_a_second_try_that_comes_to_nothing_leaves_the_first_result(tmp_path: Path, end: str) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        qpus = ["q1"] if end == "no fallback" else []
        plan = await lab.plans.plan(ANN, ghz(4, shots=100, min_fidelity=0.9, deadline_s=30.0, qpus=qpus))
        job_id = await submitted(lab, plan)
        await settled(lab)
        one = await drivers["q1"].claim()
        await drivers["q1"].recalibrate(worse(TWO["q1"], 0.3, "noon"))
        await drivers["q1"].started(one)
        await drivers["q1"].deliver(one, counts=COUNTS, bits=4, calibration_id="noon")
        run = await looked(lab, job_id)
        if end != "no fallback":
            two = await drivers["q2"].claim()
            assert two.job_id == run.fragments[0].job_id
        if end == "fails":
            fault = Faulted("The readout is broken.", code="instrument")
            await drivers["q2"].report(two, "errored", error=fault.to_dict())
        elif end == "cancelled":
            await lab.jobs.cancel(ANN, two.job_id)
        elif end == "late":
            clock.advance(31.0)
        job = await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)
        assert (job.status, job.counts) == ("completed", [{"0000": 60, "1111": 40}])
        fragment = (await looked(lab, job_id)).fragments[0]
        assert (fragment.job_id, fragment.below, fragment.repeated) == (one.job_id, True, end != "no fallback")

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.usefixtures("in_process")
def test_whoever_cancels_the_plan_cancels_its_second_try(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await lab.plans.plan(ANN, ghz(4, shots=100, min_fidelity=0.9))
        job_id = await submitted(lab, plan)
        await settled(lab)
        one = await drivers["q1"].claim()
        await drivers["q1"].recalibrate(worse(TWO["q1"], 0.3, "noon"))
        await drivers["q1"].deliver(one, counts=COUNTS, bits=4, calibration_id="noon")
        second = (await looked(lab, job_id)).fragments[0].job_id
        await lab.jobs.cancel(ANN, job_id)
        assert (await lab.jobs.get(ANN, second)).status == "cancelled"
        assert (await lab.jobs.get(ANN, one.job_id)).status == "completed"

    in_lab(tmp_path, dialogue, TWO)

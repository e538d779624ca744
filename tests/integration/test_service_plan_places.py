"""Places of a plan's fragments on scripted drivers: prepared, committed together, and left for others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from qpi_jupyter.core import (
    Faulted,
    Manifest,
    Rejected,
    calibration_of,
)
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.wire.frames import Prepare, Prepared
from qpi_jupyter.wire.rest import QpuChange
from qpi_jupyter.wire.services import EnrollmentAnswer
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, QUICK, FrozenClock, settled
from tests.integration.test_service_plans import Drivers, in_lab
from tests.support.plan_runs import COUNTS, TWO, deliver, looked, planned, states, submitted
from tests.support.waiting import PATIENCE_S


def test_nothing_is_committed_before_all_is_prepared(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        plan = await planned(lab, "q1 q2", "q2 q1")
        slow = drivers["q2"]
        slow.answer = lambda _: Prepared(error=Faulted("The fridge is being filled.", code="filling").to_dict())
        job_id = await submitted(lab, plan)
        run = await looked(lab, job_id)
        assert "committed" not in [states(one)[-1][1] for one in run.fragments]
        slow.answer = drivers["q1"].answer
        clock.advance(0.3)
        run = await looked(lab, job_id)
        assert [states(one)[-1][1] for one in run.fragments] == ["committed"] * 2

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.slow
def test_a_program_that_a_driver_refuses_goes_to_the_next_qpu_at_once(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await planned(lab, "q1 q2")
        first, second = (choice.qpu for choice in plan.fragments[0].choices)
        drivers[first].answer = lambda _: Prepared(error=Rejected("No rz here.", code="bad_gate").to_dict())
        run = await looked(lab, job_id := await submitted(lab, plan))
        assert states(run.fragments[0]) == [(first, "rejected"), (second, "committed")]
        assert (run.fragments[0].fallback, run.fragments[0].reservations[0].reason) == (True, "No rz here.")
        await deliver(drivers[second])
        assert (await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)).status == "completed"

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.slow
def test_a_fragment_that_fails_moves_and_its_old_driver_is_not_believed(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await planned(lab, "q1 q2")
        first, second = (choice.qpu for choice in plan.fragments[0].choices)
        job_id = await submitted(lab, plan)
        child = (await looked(lab, job_id)).fragments[0].job_id
        one = await drivers[first].claim()
        await drivers[first].started(one)
        fault = Faulted("The readout is broken.", code="instrument")
        await drivers[first].report(one, "errored", busy_s=0.5, error=fault.to_dict())
        run = await looked(lab, job_id)
        assert states(run.fragments[0]) == [(first, "canceled"), (second, "committed")]
        assert run.fragments[0].reservations[0].reason == "The readout is broken."
        assert (await drivers[first].deliver(one, counts=COUNTS, bits=4))[1].accepted is False
        two = await deliver(drivers[second])
        assert (two.job_id, two.attempt) == (child, 2)
        job = await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)
        assert job.status == "completed"
        run = await looked(lab, job_id)
        assert [(tried.attempt, tried.outcome) for tried in run.fragments[0].attempts] == [
            (1, "moved"), (2, "result_stored"),
        ]  # fmt: skip
        assert run.cost_s == 0.75

    in_lab(tmp_path, dialogue, TWO)


def test_when_all_qpus_are_used_up_the_plan_fails_with_each_ones_reason(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await planned(lab, "q1 q2")
        for driver in drivers.values():
            driver.answer = lambda _: Prepared(error=Rejected("No rz here.", code="bad_gate").to_dict())
        job_id = await submitted(lab, plan)
        job = await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)
        child = (await looked(lab, job_id)).fragments[0]
        assert (job.status, child.status) == ("failed", "failed")
        assert child.error is not None
        assert child.error.code == "fragment_failed"
        assert [one["qpu"] for one in child.error.data["errors"]] == ["q1", "q2"]
        assert job.error is not None
        assert "q1: No rz here. q2: No rz here." in job.error.message

    in_lab(tmp_path, dialogue, TWO)


def test_a_lost_driver_gives_its_fragments_away(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        plan = await planned(lab, "q1 q2", "q1 q2")
        job_id = await submitted(lab, plan)
        await settled(lab)
        await drivers["q1"].started(await drivers["q1"].claim())
        await settled(lab)
        drivers["q1"].unplug()
        for _ in range(12):
            await settled(lab)
            clock.advance(lab.context.config.lease_s / 4)
            await drivers["q2"].heartbeat()
        run = await looked(lab, job_id)
        begun, waiting = run.fragments
        assert states(begun) == states(waiting) == [("q1", "expired"), ("q2", "committed")]
        assert begun.reservations[0].reason == "The driver went away while it held the job."
        assert waiting.reservations[0].reason == "The driver of q1 is gone."

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.parametrize("how", ["quarantined", "disabled", "held"])
def test_what_waits_on_a_qpu_that_takes_no_jobs_any_more_goes_to_the_next_at_once(tmp_path: Path, how: str) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        job_id = await submitted(lab, await planned(lab, "q1 q2", "q1 q2", "q1 q2", "q1"))
        await settled(lab)
        await drivers["q1"].started(await drivers["q1"].claim())
        staged = await drivers["q1"].claim()
        if how == "quarantined":
            await lab.enrollment.decide(ADMIN, "q1", EnrollmentAnswer(action="quarantine", reason="odd counts"))
        else:
            change = QpuChange(enabled=False) if how == "disabled" else QpuChange(hold="helium")
            await lab.qpus.change(ADMIN, "q1", change)
        begun, given, waits, last = (await looked(lab, job_id)).fragments
        assert (states(begun), states(last)) == ([("q1", "committed")], [("q1", "committed")])
        assert states(waits) == [("q1", "expired"), ("q2", "committed")]
        assert waits.reservations[0].reason.startswith("q1 takes no jobs now: it is ")
        assert (given.job_id, states(given)) == (staged.job_id, [("q1", "committed")])
        await drivers["q1"].report(staged, "returned")
        given = (await looked(lab, job_id)).fragments[1]
        assert states(given) == [("q1", "expired"), ("q2", "committed")]

    in_lab(tmp_path, dialogue, TWO)


def test_on_its_last_qpu_a_fragment_waits_also_while_the_driver_is_restarted(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        job_id = await submitted(lab, await planned(lab, "q1"))
        await settled(lab)
        drivers["q1"].unplug()
        await lab.qpus.change(ADMIN, "q1", QpuChange(hold="A new driver is installed."))
        assert [states(one) for one in (await looked(lab, job_id)).fragments] == [[("q1", "committed")]]
        await drivers["q1"].connect()
        await lab.qpus.change(ADMIN, "q1", QpuChange(hold=None))
        await deliver(drivers["q1"])
        assert (await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)).status == "completed"

    in_lab(tmp_path, dialogue, TWO)


def test_a_place_that_was_prepared_on_a_qpu_that_is_closed_since_is_not_committed(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        answer, busy = drivers["q2"].answer, Faulted("The fridge is being filled.", code="filling")
        drivers["q2"].answer = lambda _: Prepared(error=busy.to_dict())
        job_id = await submitted(lab, await planned(lab, "q1 q2", "q2"))
        assert [states(one) for one in (await looked(lab, job_id)).fragments] == [
            [("q1", "prepared")], [("q2", "requested")],
        ]  # fmt: skip
        drivers["q2"].answer = answer
        await lab.qpus.change(ADMIN, "q1", QpuChange(enabled=False))
        await looked(lab, job_id)
        clock.advance(0.3)
        assert [states(one) for one in (await looked(lab, job_id)).fragments] == [
            [("q1", "rejected"), ("q2", "committed")], [("q2", "committed")],
        ]  # fmt: skip

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.parametrize("begun", [False, True], ids=["waiting", "begun"])
def test_a_driver_that_is_lost_on_the_last_qpu_fails_the_plan_after_its_lease(tmp_path: Path, begun: bool) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        job_id = await submitted(lab, await planned(lab, "q1", "q2"))
        await settled(lab)
        if begun:
            await drivers["q1"].started(await drivers["q1"].claim())
        lease_s, since = lab.context.config.lease_s, clock.now()
        drivers["q1"].unplug()
        while (job := await lab.jobs.get(ANN, job_id)).status == "pending":
            await settled(lab)
            clock.advance(lease_s / 4)
            await drivers["q2"].heartbeat()
        await settled(lab)
        assert lease_s <= (clock.now() - since).total_seconds() <= 3 * lease_s
        assert job.error is not None
        assert "The driver of q1 is gone." in job.error.message
        run = await looked(lab, job_id)
        assert [states(one) for one in run.fragments] == [[("q1", "expired")], [("q2", "canceled")]]
        assert run.fragments[0].error is not None
        assert run.fragments[0].error.data["cause"] == "driver_lost"
        assert run.cost_s == 0.0

    in_lab(tmp_path, dialogue, TWO)


def test_a_driver_that_comes_back_within_its_lease_keeps_the_last_place(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        job_id = await submitted(lab, await planned(lab, "q1"))
        await settled(lab)
        drivers["q1"].unplug()
        clock.advance(lab.context.config.lease_s / 2)
        await drivers["q1"].connect()
        for _ in range(8):
            await settled(lab)
            clock.advance(lab.context.config.lease_s / 2)
            await drivers["q1"].heartbeat()
        await deliver(drivers["q1"])
        assert (await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)).status == "completed"

    in_lab(tmp_path, dialogue, TWO)


def compiling(manifest: Manifest, esp: float) -> Callable[[Prepare], Prepared]:
    """The answer of a driver that compiles what it is asked about."""
    compiled = Compiled(esp=esp, shot_s=2e-6, digest="d" * 64, calibration_id=manifest.calibration_id)
    return lambda asked: Prepared(estimate=QUICK, compiled=None if asked.compile_seed is None else compiled)


def test_drivers_compile_for_their_calibration_and_unfit_ones_are_passed_over(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await planned(lab, "q1 q2", seed=7, min_fidelity=0.9)
        drivers["q1"].answer, drivers["q2"].answer = compiling(TWO["q1"], 0.8), compiling(TWO["q2"], 0.95)
        run = await looked(lab, await submitted(lab, plan))
        fragment = run.fragments[0]
        assert states(fragment) == [("q1", "rejected"), ("q2", "committed")]
        assert [asked.compile_seed for asked in drivers["q1"].prepared] == [7]
        unfit, fit = fragment.reservations
        assert unfit.reason == "The estimated success probability on q1 is 0.800; 0.9 is wanted."
        assert (fit.esp, fit.shot_s, fit.digest, fit.calibration_id) == (0.95, 2e-6, "d" * 64, TWO["q2"].calibration_id)
        assert fragment.esp == 0.95

    in_lab(tmp_path, dialogue, TWO)


def test_a_driver_that_compiles_knows_its_new_calibration_and_one_that_does_not_is_passed_over(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        plan = await planned(lab, "q1 q2", min_fidelity=0.9)
        drivers["q2"].answer = compiling(replace(TWO["q2"], calibration_id="new"), 0.95)
        old, busy = drivers["q1"].answer, Faulted("The fridge is being filled.", code="filling")
        drivers["q1"].answer = lambda _: Prepared(error=busy.to_dict())
        job_id = await submitted(lab, plan)
        await settled(lab)
        await drivers["q1"].recalibrate(replace(calibration_of(TWO["q1"]), id="new"))
        drivers["q1"].answer = old
        clock.advance(0.3)
        run = await looked(lab, job_id)
        assert states(run.fragments[0]) == [("q1", "rejected"), ("q2", "committed")]
        assert "calibrated again" in run.fragments[0].reservations[0].reason
        assert run.fragments[0].reservations[1].calibration_id == "new"

    in_lab(tmp_path, dialogue, TWO)

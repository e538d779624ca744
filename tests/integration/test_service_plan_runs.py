"""Plans that run: places, fragments' jobs on scripted drivers, and the result that the lab puts together."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core import (
    Calibration,
    Conflict,
    Faulted,
    Manifest,
    NotFound,
    Principal,
    QpiError,
    Rejected,
    Unavailable,
    calibration_of,
)
from qpi_jupyter.core.plans import Plan, ReservationState
from qpi_jupyter.core.reservations import Compiled
from qpi_jupyter.data import codec
from qpi_jupyter.wire.frames import Assignment, Prepare, Prepared
from qpi_jupyter.wire.plans import FragmentRun, PlanAndRunIn, PlanJobIn, PlanModel, PlanRun
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab
from qpi_server.service.base import NO_PROCESS
from qpi_server.service.plans import assembling, places, planning, runs
from tests.faults.lab import ADMIN, ANN, BOB, QUICK, FrozenClock, ScriptedDriver, driver_of, open_lab, settled
from tests.integration.test_service_plans import Drivers, InProcess, ghz, in_lab
from tests.support.chips import chip
from tests.support.plans import made_by_hand
from tests.support.waiting import PATIENCE_S, until

TWO = {"q1": chip(5, 0.01), "q2": chip(5, 0.02)}
COUNTS = {"0x0": 60, "0xf": 40}


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "Worker", InProcess)


async def planned(lab: Lab, *choices: str, person: Principal = ANN, **request: Any) -> Plan:
    """A plan made by hand: for each fragment its QPUs, as "q1 q2"."""
    made = made_by_hand(TWO, *choices, **request)
    await lab.plans.keep(person.name, made)
    return made.plan


async def submitted(lab: Lab, plan: Plan | PlanModel, **labels: Any) -> str:
    job_id, created = await lab.plan_runs.submit(ANN, plan.plan_id, PlanJobIn(**labels))
    assert created
    return job_id


async def looked(lab: Lab, job_id: str) -> PlanRun:
    for _ in range(3):
        await settled(lab)
    return await lab.plan_runs.run(ANN, job_id)


def states(fragment: FragmentRun) -> list[tuple[str, str]]:
    return [(one.qpu, one.state.value) for one in fragment.reservations]


async def refused(lab: Lab, plan: Plan | PlanModel, kind: type[QpiError] = Conflict, **labels: Any) -> QpiError:
    with pytest.raises(kind) as caught:
        await lab.plan_runs.submit(ANN, plan.plan_id, PlanJobIn(**labels))
    return caught.value


async def deliver(driver: ScriptedDriver, counts: Mapping[str, int] = COUNTS, **fields: Any) -> Assignment:
    job = await driver.claim()
    await driver.started(job)
    await driver.deliver(job, counts=dict(counts), bits=4, **fields)
    return job


def test_fragments_run_on_their_qpus_and_the_lab_puts_their_results_together(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await planned(lab, "q1", "q2", seed=3)
        job_id = await submitted(lab, plan, name="pairs", tags=["paper"])
        run = await looked(lab, job_id)
        assert [one.status for one in run.fragments] == ["pending"] * 2
        assert all(states(one)[-1][1] == "committed" for one in run.fragments)
        parent = await lab.jobs.get(ANN, job_id)
        assert (parent.phase, parent.name, parent.format) == ("blocked", "pairs", "openqasm3")
        assert parent.reason is not None
        assert parent.reason.message == f"Job {run.fragments[0].job_id} and 1 other have to complete first."
        for fragment in run.fragments:
            assert (await lab.jobs.get(ANN, fragment.job_id)).parent == job_id
            await deliver(drivers[fragment.qpu])
        job = await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)
        assert (job.status, job.busy_s) == ("completed", None)
        assert job.counts is not None
        assert sum(job.counts[0].values()) == 100
        assert set(job.counts[0]) <= {"00000000", "00001111", "11110000", "11111111"}
        result = await lab.jobs.result(ANN, job_id)
        told = result["results"][0]["header"]["metadata"]["plan"]
        assert [(one["qpu"], one["attempts"], one["fallback"]) for one in told["fragments"]] == [
            (one.qpu, 1, False) for one in run.fragments
        ]
        path, _ = await lab.jobs.dataset(ANN, job_id)
        assert json.loads(codec.decode(path).attrs["qpi_plan"]) == told
        run = await looked(lab, job_id)
        assert all(states(one)[-1][1] == "executed" for one in run.fragments)
        assert run.cost_s == 0.5
        events = await lab.events.of_job(ANN, job_id, family=True)
        kinds = [(event.kind, getattr(event.data, "state", None)) for event in events.events]
        order = [kinds.index(("reservation.changed", state)) for state in list(ReservationState)[:4]]
        assert order == sorted(order)

    in_lab(tmp_path, dialogue, TWO)


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


def test_a_plan_goes_on_after_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        plan = await planned(lab, "q1", "q2")
        asked = places.place_problem

        def full(*_args: object) -> None:
            raise Unavailable("The disk is full.", code="disk_full")

        job_id = await submitted(lab, plan)
        monkeypatch.setattr(places, "place_problem", full)
        await looked(lab, job_id)
        monkeypatch.setattr(places, "place_problem", asked)
        clock.advance(runs.AGAIN_S)
        run = await looked(lab, job_id)
        assert [states(one)[-1][1] for one in run.fragments] == ["committed"] * 2

    in_lab(tmp_path, dialogue, TWO)


def test_a_plan_outlives_a_machine_that_starts_no_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        tried = []

        async def full(*arguments: object, **_options: object) -> None:
            tried.append(arguments)
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

        monkeypatch.setattr(asyncio, "create_subprocess_exec", full)
        with pytest.raises(Unavailable, match="starts no more processes") as refusal:
            await lab.plans.plan(ANN, ghz(8))
        assert refusal.value.code == NO_PROCESS
        job_id = await submitted(lab, await planned(lab, "q1", "q2"))
        for fragment in (await looked(lab, job_id)).fragments:
            await deliver(drivers[fragment.qpu])
        tried.clear()
        for times in range(1, assembling.MAX_VAIN + 2):
            assert (await looked(lab, job_id)).fragments[0].status == "completed"
            assert len(tried) == times
            clock.advance(runs.AGAIN_S)
        assert (await lab.jobs.get(ANN, job_id)).status == "pending"

    in_lab(tmp_path, dialogue, TWO)


def test_a_result_that_the_lab_cannot_keep_ends_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        def refuse(*_args: object) -> None:
            raise Rejected("The name of a register is too long.", code="bad_result")

        monkeypatch.setattr(assembling, "check_circuit", refuse)
        job_id = await submitted(lab, await planned(lab, "q1", "q2"))
        for fragment in (await looked(lab, job_id)).fragments:
            await deliver(drivers[fragment.qpu])
        job = await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)
        assert job.error is not None
        assert (job.status, job.error.code) == ("failed", "bad_result")

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
        assert waiting.reservations[0].reason == "driver_lost: the driver of q1 is gone."

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


def test_other_plans_find_the_places_taken(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        first, second = await planned(lab, "q1", "q2"), await planned(lab, "q1 q2")
        job_id = await submitted(lab, first)
        while {states(one)[-1][1] for one in (await looked(lab, job_id)).fragments} != {"committed"}:
            pass
        error = await refused(lab, second)
        assert error.code == "reserved"
        assert error.data["next_free_at"] is not None
        assert (await refused(lab, first)).data["job_id"] == job_id
        await lab.jobs.cancel(ANN, job_id)
        run = await looked(lab, job_id)
        assert [states(one)[-1][1] for one in run.fragments] == ["canceled"] * 2
        await submitted(lab, second)

    in_lab(tmp_path, dialogue, TWO)


def test_the_same_submit_again_is_the_same_job(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await planned(lab, "q1")
        first = await lab.plan_runs.submit(ANN, plan.plan_id, PlanJobIn(), key="k")
        assert await lab.plan_runs.submit(ANN, plan.plan_id, PlanJobIn(), key="k") == (first[0], False)
        with pytest.raises(Conflict) as caught:
            await lab.plan_runs.submit(ANN, plan.plan_id, PlanJobIn(name="other"), key="k")
        assert caught.value.code == "key_reused"
        with pytest.raises(NotFound):
            await lab.plan_runs.submit(BOB, plan.plan_id, PlanJobIn())
        with pytest.raises(NotFound):
            await lab.plan_runs.run(BOB, first[0])

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.slow
def test_a_stale_plan_is_refused_or_made_again(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await lab.plans.plan(ANN, ghz(4))
        driver = drivers["q1"]
        driver.unplug()
        driver.manifest = replace(driver.manifest, calibration_id="new")
        await driver.connect()
        error = await refused(lab, plan)
        assert (error.code, error.data["current"]) == ("stale_plan", "new")
        job_id = await submitted(lab, plan, stale="replan")
        run = await looked(lab, job_id)
        assert run.plan is not None
        assert run.plan.plan_id != plan.plan_id
        assert states(run.fragments[0]) == [("q1", "committed")]

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.slow
def test_planned_and_run_in_one(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        job_id, _ = await lab.plan_runs.plan_and_run(ANN, PlanAndRunIn(plan=ghz(4, shots=100), name="both"))
        run = await lab.plan_runs.run(ANN, job_id)
        while not run.fragments:
            job = await lab.jobs.get(ANN, job_id)
            assert job.ended_at is None, job.error
            await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S, version=job.version)
            run = await looked(lab, job_id)
        await deliver(drivers[run.fragments[0].qpu])
        assert (await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)).status == "completed"
        wide, _ = await lab.plan_runs.plan_and_run(ANN, PlanAndRunIn(plan=ghz(4, qpus=["q1"], min_fidelity=0.999)))
        job = await lab.jobs.get(ANN, wide, wait_s=PATIENCE_S)
        assert job.error is not None
        assert (job.status, job.error.code) == ("failed", "infeasible")
        late, _ = await lab.plan_runs.plan_and_run(ANN, PlanAndRunIn(plan=ghz(4, deadline_s=5.0)))
        while not (await looked(lab, late)).fragments:
            job = await lab.jobs.get(ANN, late)
            await lab.jobs.get(ANN, late, wait_s=PATIENCE_S, version=job.version)
        clock.advance(6.0)
        job = await lab.jobs.get(ANN, late, wait_s=PATIENCE_S)
        assert job.error is not None
        assert job.error.code == "deadline"

    in_lab(tmp_path, dialogue, TWO)


def test_planned_and_run_in_one_waits_for_the_places_of_others(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        first = await submitted(lab, await planned(lab, "q1", "q2"))
        held = (await looked(lab, first)).fragments
        assert all(states(one)[-1][1] == "committed" for one in held)
        second, _ = await lab.plan_runs.plan_and_run(ANN, PlanAndRunIn(plan=ghz(4, shots=100)))

        async def planned_too() -> PlanRun | None:
            run = await looked(lab, second)
            return None if run.plan is None else run

        run = await until(planned_too)
        assert (run.fragments, (await lab.jobs.get(ANN, second)).status) == ([], "pending")
        assert run.plan is not None
        assert run.plan.fragments[0].choices[0].qpu == "q1"  # on which neither plan's own job is any load
        for fragment in held:
            await deliver(drivers[fragment.qpu])
        assert (await lab.jobs.get(ANN, first, wait_s=PATIENCE_S)).status == "completed"
        clock.advance(runs.AGAIN_S)
        run = await looked(lab, second)
        assert [states(one)[-1][1] for one in run.fragments] == ["committed"]

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.slow
def test_a_lab_that_starts_again_goes_on(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path, clock=FrozenClock()) as lab:
            drivers = await _online(lab)
            plan = await planned(lab, "q1", "q2")
            job_id = await submitted(lab, plan)
            run = await looked(lab, job_id)
            done = await deliver(drivers[run.fragments[0].qpu])
        async with open_lab(tmp_path, clock=FrozenClock()) as lab:
            for driver in drivers.values():
                driver.lab = lab
                await driver.connect()
            run = await looked(lab, job_id)
            assert [one.status for one in run.fragments].count("completed") == 1
            left = next(one for one in run.fragments if one.status != "completed")
            assert left.job_id != done.job_id
            await deliver(drivers[left.qpu])
            assert (await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)).status == "completed"

    asyncio.run(dialogue())


@pytest.mark.parametrize("down_s", [1.0, 600.0])
def test_a_lab_that_starts_again_before_a_place_is_prepared_waits_for_the_drivers(
    tmp_path: Path, down_s: float
) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path, clock=FrozenClock()) as lab:
            drivers = await _online(lab)
            for driver in drivers.values():
                driver.silent = True
            job_id = await submitted(lab, await planned(lab, "q1", "q2"))
            run = await looked(lab, job_id)
            assert [states(one) for one in run.fragments] == [[("q1", "requested")], [("q2", "requested")]]
        clock = FrozenClock()
        clock.advance(down_s)
        async with open_lab(tmp_path, clock=clock) as lab:
            for _ in range(5):
                run = await looked(lab, job_id)
                assert [states(one) for one in run.fragments] == [[("q1", "requested")], [("q2", "requested")]]
                clock.advance(1.0)
            for driver in drivers.values():
                driver.lab, driver.silent = lab, False
                await driver.connect()
            for _ in range(10):
                clock.advance(1.0)
                run = await looked(lab, job_id)
            assert [states(one)[-1][1] for one in run.fragments] == ["committed"] * 2

    asyncio.run(dialogue())


async def _online(lab: Lab) -> Drivers:
    drivers = {}
    for name, manifest in TWO.items():
        await lab.qpus.create(ADMIN, QpuIn(name=name))
        drivers[name] = await driver_of(lab, name, f"driver-{name}", manifest=manifest)
        await drivers[name].connect()
    return drivers

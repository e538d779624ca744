"""Plans that run: submitted, put together, and taken up again by a lab that starts anew."""

from __future__ import annotations

import asyncio
import errno
import json
from dataclasses import replace
from pathlib import Path

import pytest

from qpi_jupyter.core import (
    Conflict,
    NotFound,
    Rejected,
    Unavailable,
)
from qpi_jupyter.core.plans import Choice, ReservationState
from qpi_jupyter.core.reservations import RESERVED
from qpi_jupyter.data import codec
from qpi_jupyter.wire.plans import PlanAndRunIn, PlanJobIn, PlanRun
from qpi_server.service import Lab
from qpi_server.service.base import NO_PROCESS, Tx
from qpi_server.service.plans import assembling, places, planning, runs
from qpi_server.service.plans.beginning import Fragments
from tests.faults.lab import ANN, BOB, FrozenClock, open_lab
from tests.integration.test_service_plans import Drivers, InProcess, ghz, in_lab
from tests.support.plan_runs import TWO, deliver, looked, online, planned, refused, states, submitted
from tests.support.waiting import PATIENCE_S, until


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
        assert parent.reason.message == "2 of 2 fragments waiting for q1, q2."
        listed = {job.id: job for job in (await lab.jobs.list(ANN)).jobs}
        assert (listed[job_id].qpus, listed[job_id].reason) == (["q1", "q2"], parent.reason)
        for fragment in run.fragments:
            assert (await lab.jobs.get(ANN, fragment.job_id)).parent == job_id
            await deliver(drivers[fragment.qpu])
        job = await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)
        assert job.qpus == ["q1", "q2"]
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


def test_a_plan_that_the_lab_makes_a_mistake_with_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def dialogue(lab: Lab, _drivers: Drivers, clock: FrozenClock) -> None:
        def wrong(*_args: object) -> None:
            raise KeyError("a mistake")

        monkeypatch.setattr(places, "place_problem", wrong)
        job_id = await submitted(lab, await planned(lab, "q1", "q2"))
        for _ in range(runs.MAX_FAULTS):
            run = await looked(lab, job_id)
            clock.advance(runs.AGAIN_S)
        job = await lab.jobs.get(ANN, job_id)
        assert job.error is not None
        assert (job.status, job.error.code) == ("failed", "internal_error")
        assert [states(one) for one in run.fragments] == [[("q1", "canceled")], [("q2", "canceled")]]

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
        run = await looked(lab, second)
        assert [states(one)[-1][1] for one in run.fragments] == ["committed"]

    in_lab(tmp_path, dialogue, TWO)


def test_who_cannot_use_a_free_place_leaves_it_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "Worker", InProcess)
    refusals, choose = [], Fragments.choose

    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        await submitted(lab, await planned(lab, "q1"))
        hindered, _ = await lab.plan_runs.plan_and_run(ANN, PlanAndRunIn(plan=ghz(4, shots=100, qpus=["q1"])))

        def choosy(fragments: Fragments, tx: Tx, job_id: str) -> list[Choice]:
            if job_id != hindered:
                return choose(fragments, tx, job_id)
            refusals.append(job_id)
            raise Conflict("Another of its QPUs is reserved.", code=RESERVED)

        monkeypatch.setattr(Fragments, "choose", choosy)
        await until(lambda: settled_plan(lab, hindered))
        behind, _ = await lab.plan_runs.plan_and_run(ANN, PlanAndRunIn(plan=ghz(4, shots=100, qpus=["q1"])))
        await until(lambda: settled_plan(lab, behind))
        before = len(refusals)
        await deliver(drivers["q1"])
        assert [states(one) for one in (await looked(lab, behind)).fragments] == [[("q1", "committed")]]
        assert ((await looked(lab, hindered)).fragments, len(refusals) > before) == ([], True)
        waiting = lab.context.metrics.registry.get_sample_value("qpi_jobs_queued", {"qpu": "q1"})
        assert waiting == 1  # the fragment: a plan's own job is none beside it

    async def settled_plan(lab: Lab, job_id: str) -> bool:
        return (await looked(lab, job_id)).plan is not None

    in_lab(tmp_path, dialogue, TWO)


@pytest.mark.slow
def test_a_lab_that_starts_again_goes_on(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path, clock=FrozenClock()) as lab:
            drivers = await online(lab)
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
            drivers = await online(lab)
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


def test_any_number_of_jobs_wait_for_the_planner_in_their_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(planning, "Worker", InProcess)

    async def dialogue(lab: Lab, _drivers: Drivers, _clock: FrozenClock) -> None:
        wanted = [PlanAndRunIn(plan=ghz(2, shots=count)) for count in range(10, 22)]
        made = [(await lab.plan_runs.plan_and_run(ANN, one))[0] for one in wanted]

        async def all_planned() -> bool:
            return all([(await looked(lab, job_id)).plan for job_id in made])

        await until(all_planned)
        assert "is taken up again" not in caplog.text

    in_lab(tmp_path, dialogue, TWO)

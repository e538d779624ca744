"""Plans that run: their places, their fragments' jobs on scripted drivers, and the result that the lab puts together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qpi_jupyter.core.plans import ReservationState
from qpi_jupyter.wire.plans import PlanJobIn, PlanModel, PlanRun
from qpi_server.service import Lab
from tests.faults.lab import ANN, FrozenClock, settled
from tests.integration.test_service_plans import Drivers, ghz, in_lab
from tests.support.waiting import PATIENCE_S


async def submitted(lab: Lab, plan: PlanModel, **labels: Any) -> str:
    job_id, created = await lab.plan_runs.submit(ANN, plan.plan_id, PlanJobIn(**labels))
    assert created
    return job_id


async def looked(lab: Lab, job_id: str) -> PlanRun:
    await settled(lab)
    return await lab.plan_runs.run(ANN, job_id)


def test_a_plan_on_one_qpu_runs_to_its_result(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await lab.plans.plan(ANN, ghz(2, shots=100))
        job_id = await submitted(lab, plan, name="two")
        run = await looked(lab, job_id)
        states = [[one.state for one in fragment.reservations] for fragment in run.fragments]
        assert states == [[ReservationState.COMMITTED]]
        assert (await lab.jobs.get(ANN, job_id)).phase == "blocked"
        driver = drivers[run.fragments[0].qpu]
        await driver.run()
        job = await lab.jobs.get(ANN, job_id, wait_s=PATIENCE_S)
        assert (job.status, job.counts) == ("completed", [{"00": 60, "11": 40}])
        run = await looked(lab, job_id)
        assert [one.state for one in run.fragments[0].reservations] == [ReservationState.EXECUTED]
        assert run.cost_s == 0.25

    in_lab(tmp_path, dialogue)

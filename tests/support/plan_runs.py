"""Plans that run on scripted drivers: what tests of them do and ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from qpi_jupyter.core import (
    Conflict,
    Principal,
    QpiError,
)
from qpi_jupyter.core.plans import Plan
from qpi_jupyter.wire.frames import Assignment
from qpi_jupyter.wire.plans import FragmentRun, PlanJobIn, PlanModel, PlanRun
from qpi_jupyter.wire.rest import QpuIn
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, ScriptedDriver, driver_of, settled
from tests.support.chips import chip
from tests.support.plans import made_by_hand

Drivers = dict[str, ScriptedDriver]

TWO = {"q1": chip(5, 0.01), "q2": chip(5, 0.02)}
COUNTS = {"0x0": 60, "0xf": 40}


async def planned(lab: Lab, *choices: str, person: Principal = ANN, **request: Any) -> Plan:
    """A plan made by hand: for each fragment its QPUs, as "q1 q2"."""
    made = made_by_hand(TWO, *choices, **request)
    await lab.plans.keep(person.name, made)
    return made.plan


async def submitted(lab: Lab, plan: Plan | PlanModel, **labels: Any) -> str:
    """The job that runs it."""
    job_id, created = await lab.plan_runs.submit(ANN, plan.plan_id, PlanJobIn(**labels))
    assert created
    return job_id


async def looked(lab: Lab, job_id: str) -> PlanRun:
    """How it does once everything that is under way has come to rest."""
    for _ in range(3):
        await settled(lab)
    return await lab.plan_runs.run(ANN, job_id)


def states(fragment: FragmentRun) -> list[tuple[str, str]]:
    """Of all its places: the QPU and the state."""
    return [(one.qpu, one.state.value) for one in fragment.reservations]


async def refused(lab: Lab, plan: Plan | PlanModel, kind: type[QpiError] = Conflict, **labels: Any) -> QpiError:
    """Why it was not taken."""
    with pytest.raises(kind) as caught:
        await lab.plan_runs.submit(ANN, plan.plan_id, PlanJobIn(**labels))
    return caught.value


async def deliver(driver: ScriptedDriver, counts: Mapping[str, int] = COUNTS, **fields: Any) -> Assignment:
    """The next job of a driver, run with these counts."""
    job = await driver.claim()
    await driver.started(job)
    await driver.deliver(job, counts=dict(counts), bits=4, **fields)
    return job


async def online(lab: Lab) -> Drivers:
    """Both QPUs in a lab, with their drivers."""
    drivers = {}
    for name, manifest in TWO.items():
        await lab.qpus.create(ADMIN, QpuIn(name=name))
        drivers[name] = await driver_of(lab, name, f"driver-{name}", manifest=manifest)
        await drivers[name].connect()
    return drivers

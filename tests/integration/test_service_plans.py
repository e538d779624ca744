"""Plans, from a request over the child process to the row: real circuits, scripted drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core import Manifest, NotFound, QpiError, Rejected
from qpi_jupyter.core.plans import PlanKind
from qpi_jupyter.wire.plans import PlanIn
from qpi_jupyter.wire.rest import ProgramIn, QpuChange, QpuIn
from qpi_server.service import Lab
from qpi_server.store import plans
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, ScriptedDriver, driver_of, open_lab
from tests.support.chips import chip

CHIPS = {"q1": chip(5, 0.01), "q2": chip(5, 0.02), "q3": chip(7, 0.015)}
Drivers = dict[str, ScriptedDriver]


def in_lab(
    folder: Path, dialogue: Callable[[Lab, Drivers, FrozenClock], Awaitable[None]], chips: dict[str, Manifest] = CHIPS
) -> None:
    """Hold ``dialogue`` in a lab whose QPUs are online."""

    async def run() -> None:
        clock = FrozenClock()
        async with open_lab(folder, clock=clock) as lab:
            drivers = {}
            for name, manifest in chips.items():
                await lab.qpus.create(ADMIN, QpuIn(name=name))
                drivers[name] = await driver_of(lab, name, f"driver-{name}", manifest=manifest)
                await drivers[name].connect()
            await dialogue(lab, drivers, clock)

    asyncio.run(run())


def ghz(width: int, **fields: Any) -> PlanIn:
    """A chain of CX, measured unless observables are asked for."""
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{width}] q;", "h q[0];"]
    lines += [f"cx q[{index}], q[{index + 1}];" for index in range(width - 1)]
    if "observables" not in fields:
        lines += [f"bit[{width}] c;", "c = measure q;"]
    return PlanIn(program=ProgramIn(format="openqasm3", sources=["\n".join(lines)]), **fields)


async def refused(lab: Lab, request: PlanIn, kind: type[QpiError] = Rejected) -> QpiError:
    with pytest.raises(kind) as caught:
        await lab.plans.plan(ANN, request)
    return caught.value


def test_a_circuit_wider_than_every_qpu_is_cut_and_the_plan_is_kept(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _: Drivers, _clock: FrozenClock) -> None:
        plan = await lab.plans.plan(ANN, ghz(8, seed=5))
        assert (plan.kind, plan.num_cuts, plan.overhead) == (PlanKind.CUT, 1, 9.0)
        assert sum(one.num_qubits for one in plan.fragments) == 8
        assert all(one.num_qubits <= CHIPS[one.choices[0].qpu].num_qubits for one in plan.fragments)
        assert [one.cut for one in plan.operations].count(True) == 1
        again = await lab.plans.plan(ANN, ghz(8, seed=5))
        assert again == plan == await lab.plans.get(ANN, plan.plan_id)
        with pytest.raises(NotFound):
            await lab.plans.get(BOB, plan.plan_id)
        other = await lab.plans.plan(ANN, ghz(8, seed=6))
        assert other.plan_id != plan.plan_id
        parts = await lab.context.db.read(lambda connection: plans.parts(connection, ANN.name, plan.plan_id))
        assert parts is not None
        assert b"QISKIT" in parts

    in_lab(tmp_path, dialogue)


def test_what_fits_runs_whole_where_it_succeeds_most_likely(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _: Drivers, _clock: FrozenClock) -> None:
        plan = await lab.plans.plan(ANN, ghz(4))
        assert plan.kind is PlanKind.WHOLE
        assert [choice.qpu for choice in plan.fragments[0].choices] == ["q1", "q3", "q2"]
        assert plan.fragments[0].choices[0].cost.esp == pytest.approx(0.99**3)

    in_lab(tmp_path, dialogue)


def test_who_is_no_candidate(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        await lab.qpus.change(ADMIN, "q1", QpuChange(enabled=False))
        drivers["q2"].unplug()
        plan = await lab.plans.plan(ANN, ghz(4))
        assert [choice.qpu for choice in plan.fragments[0].choices] == ["q3"]
        for name, why in (("q1", "disabled"), ("q2", "offline")):
            error = await refused(lab, ghz(4, qpus=[name]))
            assert (error.code, why in error.message) == ("qpu_unavailable", True)
        assert (await refused(lab, ghz(4, qpus=["q9"]), NotFound)).code == "unknown_qpu"
        await drivers["q3"].heartbeat()
        clock.advance(3 * lab.context.config.heartbeat_s + 1)
        error = await refused(lab, ghz(4, qpus=["q3"]))
        assert "has not reported for 7 s" in error.message
        error = await refused(lab, ghz(4))
        assert (error.code, error.data["missing"]) == ("infeasible", "qpus")

    in_lab(tmp_path, dialogue)

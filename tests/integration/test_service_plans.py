"""Plans, from a request over the child process to the row: real circuits, scripted drivers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_executors.planning import Planner
from qpi_jupyter.core import Manifest, NotFound, QpiError, Rejected, Unavailable
from qpi_jupyter.core.plans import PlanKind
from qpi_jupyter.core.trust import TrustAction
from qpi_jupyter.wire.bookings import BookingIn
from qpi_jupyter.wire.plans import PlanIn
from qpi_jupyter.wire.rest import ProgramIn, QpuChange, QpuIn
from qpi_jupyter.wire.services import EnrollmentAnswer
from qpi_server.service import Lab
from qpi_server.service.plans import planning
from qpi_server.store import plans
from tests.faults.lab import ADMIN, ANN, BOB, FrozenClock, ScriptedDriver, bell, driver_of, open_lab, turn
from tests.support.chips import chip
from tests.support.waiting import PATIENCE_S

PLANNER = Planner()


class InProcess:
    """The child's work in this process: one process is started for all these tests, in the first of them."""

    def __init__(self, *_: object, **_options: object) -> None: ...

    async def ask(self, question: bytes, *, timeout_s: float) -> bytes:
        assert timeout_s == planning.TIMEOUT_S
        return PLANNER.answer(question)

    async def close(self) -> None: ...


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "Worker", InProcess)


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


@pytest.mark.slow
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


@pytest.mark.usefixtures("in_process")
def test_what_fits_runs_whole_where_it_succeeds_most_likely(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _: Drivers, _clock: FrozenClock) -> None:
        plan = await lab.plans.plan(ANN, ghz(4))
        assert plan.kind is PlanKind.WHOLE
        assert [choice.qpu for choice in plan.fragments[0].choices] == ["q1", "q3", "q2"]
        assert plan.fragments[0].choices[0].cost.esp == pytest.approx(0.99**3)

    in_lab(tmp_path, dialogue)


@pytest.mark.usefixtures("in_process")
def test_who_is_no_candidate(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        await lab.qpus.change(ADMIN, "q1", QpuChange(enabled=False))
        drivers["q2"].unplug()
        await turn()
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


@pytest.mark.usefixtures("in_process")
def test_what_waits_and_what_is_booked_counts_and_is_shown(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, clock: FrozenClock) -> None:
        same = {"q1": chip(5), "q2": chip(5), "q3": chip(5)}
        assert all(drivers[name].manifest == one for name, one in same.items())
        for _ in range(2):
            await lab.jobs.submit(ANN, bell("q1"))
        now = clock.now()
        await lab.bookings.create(BOB, BookingIn(start_at=now, end_at=now + timedelta(minutes=10), qpu="q2"))
        plan = await lab.plans.plan(ANN, ghz(4))
        cost = {choice.qpu: choice.cost for choice in plan.fragments[0].choices}
        assert [*cost] == ["q3", "q2", "q1"]
        assert (cost["q1"].load, cost["q1"].wait_s) == (2.0, 10.0)
        assert (cost["q2"].load, cost["q2"].wait_s) == (0.0, 600.0)
        assert (cost["q3"].load, cost["q3"].wait_s) == (0.0, 0.0)
        mine = await lab.plans.plan(BOB, ghz(4))  # his own booking keeps nobody from himself
        assert [choice.cost.wait_s for choice in mine.fragments[0].choices if choice.qpu == "q2"] == [0.0]

    in_lab(tmp_path, dialogue, {name: chip(5) for name in ("q1", "q2", "q3")})


@pytest.mark.usefixtures("in_process")
def test_a_qpu_in_quarantine_is_no_candidate(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, _: Drivers, _clock: FrozenClock) -> None:
        answer = EnrollmentAnswer(action=TrustAction.QUARANTINE, reason="odd results")
        await lab.enrollment.decide(ADMIN, "q1", answer)
        plan = await lab.plans.plan(ANN, ghz(4))
        assert [choice.qpu for choice in plan.fragments[0].choices] == ["q3", "q2"]
        error = await refused(lab, ghz(4, qpus=["q1"]))
        assert (error.code, "odd results" in error.message) == ("qpu_unavailable", True)

    in_lab(tmp_path, dialogue)


@pytest.mark.usefixtures("in_process")
def test_plans_that_no_job_runs_are_kept_up_to_a_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "KEPT", 2)

    async def dialogue(lab: Lab, _: Drivers, clock: FrozenClock) -> None:
        made = []
        for seed in range(3):
            made.append((await lab.plans.plan(ANN, ghz(2, seed=seed))).plan_id)
            clock.advance(1.0)
        with pytest.raises(NotFound):
            await lab.plans.get(ANN, made[0])
        assert [(await lab.plans.get(ANN, plan_id)).plan_id for plan_id in made[1:]] == made[1:]

    in_lab(tmp_path, dialogue, {"q1": chip(2)})


def test_a_study_that_is_late_or_lost_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Unavailable("It ended.", code="worker_ended")
    problems: list[Exception] = [TimeoutError(), lost, lost, lost]

    class Failing(InProcess):
        async def ask(self, question: bytes, *, timeout_s: float) -> bytes:
            if problems:
                raise problems.pop(0)
            return await super().ask(question, timeout_s=timeout_s)

    monkeypatch.setattr(planning, "Worker", Failing)

    async def dialogue(lab: Lab, _: Drivers, _clock: FrozenClock) -> None:
        assert "within 60 s" in (await refused(lab, ghz(2))).message
        assert "more memory" in (await refused(lab, ghz(2))).message
        assert (await lab.plans.plan(ANN, ghz(2))).num_qubits == 2, "it ended once, and was asked again"

    in_lab(tmp_path, dialogue, {"q1": chip(2)})


def test_a_heavy_circuit_keeps_nobody_else_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, done = asyncio.Event(), asyncio.Event()

    class Heavy(InProcess):
        async def ask(self, question: bytes, *, timeout_s: float) -> bytes:
            if b"// heavy" in question:
                begun.set()
                await done.wait()
            return await super().ask(question, timeout_s=timeout_s)

    monkeypatch.setattr(planning, "Worker", Heavy)

    async def dialogue(lab: Lab, _drivers: Drivers, _clock: FrozenClock) -> None:
        heavy = ghz(2)
        heavy.program.sources[0] = "OPENQASM 3.0; // heavy\n" + heavy.program.sources[0].partition("\n")[2]
        slow = [asyncio.create_task(lab.plans.plan(ANN, heavy)) for _ in range(2)]
        await begun.wait()
        async with asyncio.timeout(PATIENCE_S):
            assert (await lab.plans.plan(BOB, ghz(3))).num_qubits == 3
        done.set()
        assert [plan.num_qubits for plan in await asyncio.gather(*slow)] == [2, 2]

    in_lab(tmp_path, dialogue)

"""FR-001, FR-002, FR-008 in a lab: advertisements by filters, what makes them stale, and whom the lab trusts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.capabilities import Availability
from qpi_jupyter.core.errors import Conflict, Forbidden, Rejected
from qpi_jupyter.core.manifest import GateProperties, QubitProperties
from qpi_jupyter.core.trust import TrustTier
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.events import DriverChanged, QpuChanged
from qpi_jupyter.wire.previews import PreviewIn
from qpi_jupyter.wire.rest import QpuIn
from qpi_jupyter.wire.services import EnrollmentAnswer, EnrollmentIn
from qpi_server.service import Lab
from tests.faults.lab import (
    ADMIN,
    ANN,
    BOB,
    HARDWARE,
    SIMULATOR,
    FrozenClock,
    ScriptedDriver,
    bell,
    driver_of,
    open_lab,
    settled,
    small_lab,
)
from tests.integration.test_service_plans import Drivers, ghz, in_lab
from tests.integration.test_service_plans import refused as refused_plan
from tests.support.plan_runs import TWO, looked, planned, states, submitted
from tests.support.watch import watch

EVE = Principal(name="eve", roles=frozenset({Role.MANAGER}))
NOISY = replace(
    HARDWARE, calibration_id="monday", gates=(
        GateProperties(gate="h", qubits=(0,), error=0.01), GateProperties(gate="cx", qubits=(0, 1), error=0.1),
    ),
    qubits=(QubitProperties(readout_error=0.1),),
)  # fmt: skip


def trip(folder: Path, story: Callable[[Lab, ScriptedDriver], Awaitable[None]], **settings: Any) -> None:
    if "clock" not in settings:
        settings["heartbeat_s"] = 600.0  # nothing gets stale while a busy machine takes its time

    async def dialogue() -> None:
        async with small_lab(folder, **settings) as (lab, driver):
            await watch(lab)
            await story(lab, driver)

    asyncio.run(dialogue())


async def found(lab: Lab, who: Principal = ANN, **filters: Any) -> list[str]:
    return [one.qpu for one in (await lab.services.services(who, **filters)).qpus]


def test_fr_002_services_are_found_by_name_fidelity_and_availability(tmp_path: Path) -> None:
    async def story(lab: Lab, driver: ScriptedDriver) -> None:
        await driver.connect()
        await lab.qpus.create(ADMIN, QpuIn(name="fridge", kind="device"))
        noisy = await driver_of(lab, "fridge", "d2", manifest=NOISY)
        await noisy.connect()
        assert await found(lab, service="bell_pair") == ["fridge", "q1"]
        assert await found(lab, service="teleportation") == []  # neither has control flow
        assert await found(lab, service="bell_pair", min_fidelity=0.9) == ["q1"]
        assert await found(lab, min_fidelity=0.99) == ["q1"]
        assert await found(lab, availability=Availability.BUSY) == []
        await lab.jobs.submit(ANN, bell("q1"))
        job = await driver.claim()
        await driver.started(job)
        await settled(lab)
        assert await found(lab, availability=Availability.BUSY) == ["q1"]
        [one] = (await lab.services.services(ANN, service="bell_pair", availability=Availability.AVAILABLE)).qpus
        assert (one.qpu, one.calibration_id, one.trust) == ("fridge", "monday", TrustTier.PLATFORM_MANAGED)
        [offer] = one.services
        assert offer.fidelity == pytest.approx(0.99 * 0.9)
        assert one.fidelity == pytest.approx(0.99 * 0.9 * 0.9**2)

    trip(tmp_path, story)


def test_fr_002_three_missed_heartbeats_take_a_qpu_out_of_the_list(tmp_path: Path) -> None:
    clock = FrozenClock()

    async def story(lab: Lab, driver: ScriptedDriver) -> None:
        assert await found(lab) == []
        await driver.connect()
        clock.advance(6.0)
        assert await found(lab) == ["q1"]
        clock.advance(0.5)
        assert await found(lab) == []
        [one] = (await lab.services.services(ANN, include_stale=True)).qpus
        assert one.stale
        assert one.availability is Availability.UNAVAILABLE
        await driver.heartbeat()
        await settled(lab)
        assert await found(lab) == ["q1"]

    trip(tmp_path, story, clock=clock)


def test_fr_008_qpus_below_the_labs_threshold_are_marked_by_their_latest_calibration(tmp_path: Path) -> None:
    async def story(lab: Lab, driver: ScriptedDriver) -> None:
        driver.manifest = NOISY
        await driver.connect()
        listed = await lab.services.services(ANN)
        assert listed.min_fidelity == 0.9
        assert [one.below_min_fidelity for one in listed.qpus] == [True]
        better = replace(NOISY, gates=(), qubits=(), simulator=True, calibration_id="")
        driver.unplug()
        driver.manifest = better
        await driver.connect()
        assert [one.below_min_fidelity for one in (await lab.services.services(ANN)).qpus] == [False]

    trip(tmp_path, story, min_fidelity=0.9)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"num_qubits": 0}, "num_qubits"),
        ({"coupling_map": [[0, 9]]}, "coupling_map"),
        ({"basis_gates": "h"}, "basis_gates"),
        ({"gates": [{"gate": "h", "qubits": [0], "error": 1.5}]}, "error"),
        ({"qubits": [{"t1_s": -1.0}]}, "t1_s"),
        ({"calibration_id": "x" * 10_000}, "calibration_id"),
        ({"calibrated_at": "yesterday"}, "calibrated_at"),
    ],
)
def test_fr_001_an_invalid_advertisement_is_refused_with_its_field(
    tmp_path: Path, wrong: dict[str, Any], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(lab: Lab, driver: ScriptedDriver) -> None:
        heard = [await refused(driver, **wrong) for _ in range(2)]
        assert named in heard[0]  # what the driver writes into its log
        assert await found(lab, include_stale=True) == ["q1"]
        [known] = (await lab.bench.drivers(ADMIN)).drivers
        assert known.problem == heard[0]  # what the panel shows
        [one] = (await lab.services.services(ADMIN, include_stale=True)).qpus
        assert (one.problem, one.services) == (heard[0], [])
        assert (await lab.services.services(ANN, include_stale=True)).qpus[0].problem == ""
        events = (await lab.events.page(ADMIN, after=0, limit=100)).events
        told = [event for event in events if isinstance(event, DriverChanged) and event.data.action == "refused"]
        assert len(told) == 1  # the same again is no news
        assert f"driver d1 of q1 was refused: {heard[0]}" in caplog.text
        await driver.connect()
        [known] = (await lab.bench.drivers(ADMIN)).drivers
        assert known.problem == ""

    trip(tmp_path, story)


async def refused(driver: ScriptedDriver, **wrong: Any) -> str:
    """What a driver hears that says this of its QPU."""
    driver.manifest = msgspec.to_builtins(SIMULATOR) | wrong
    with pytest.raises(Rejected) as caught:
        await driver.connect()
    driver.unplug()
    driver.manifest = SIMULATOR
    return caught.value.message


def test_a_quarantined_qpu_gets_no_new_jobs_and_what_runs_ends(tmp_path: Path) -> None:
    async def story(lab: Lab, driver: ScriptedDriver) -> None:
        await driver.connect()
        running, _ = await lab.jobs.submit(ANN, bell("q1"))
        job = await driver.claim()
        await driver.started(job)
        waiting, _ = await lab.jobs.submit(ANN, bell("q1"))
        answer = EnrollmentAnswer(action="quarantine", reason="strange counts")
        decided = await lab.enrollment.decide(EVE, "q1", answer)
        assert (decided.trust, decided.decided_by) == (TrustTier.QUARANTINED, "eve")
        with pytest.raises(Conflict, match="in quarantine") as caught:
            await lab.jobs.submit(ANN, bell("q1"))
        assert caught.value.code == "qpu_untrusted"
        with pytest.raises(Conflict):  # the only QPU of the lab, which is taken where none is named
            await lab.jobs.submit(ANN, bell(None))
        [one] = (await lab.services.services(ANN)).qpus
        assert (one.status, one.reason) == ("disabled", "in quarantine (strange counts)")
        assert one.availability is Availability.UNAVAILABLE
        await driver.deliver(job)
        assert (await lab.jobs.get(ANN, running.id)).status == "completed"
        assert (await lab.jobs.get(ANN, waiting.id)).status == "pending"
        await lab.enrollment.decide(EVE, "q1", EnrollmentAnswer(action="approve"))
        assert (await driver.claim()).job_id == waiting.id
        actions = [entry.action for entry in (await lab.audit.page(ADMIN)).entries]
        assert actions[:2] == ["qpu.approve", "qpu.quarantine"]
        told = [
            event for event in (await lab.events.page(ANN, after=0, limit=100)).events if isinstance(event, QpuChanged)
        ]
        trust = [(event.data.trust, event.data.by) for event in told if event.data.trust is not msgspec.UNSET]
        assert trust == [("quarantined", "eve"), ("platform_managed", "eve")]

    trip(tmp_path, story)


def test_no_plan_uses_a_quarantined_qpu_and_a_made_one_goes_to_its_fallback(tmp_path: Path) -> None:
    async def dialogue(lab: Lab, drivers: Drivers, _clock: FrozenClock) -> None:
        plan = await planned(lab, "q1 q2")
        await lab.enrollment.decide(EVE, "q1", EnrollmentAnswer(action="quarantine", reason="strange counts"))
        error = await refused_plan(lab, ghz(4, qpus=["q1"]))
        assert "it is disabled: in quarantine (strange counts)" in error.message
        run = await looked(lab, await submitted(lab, plan))
        assert states(run.fragments[0]) == [("q1", "rejected"), ("q2", "committed")]
        assert "in quarantine (strange counts)" in run.fragments[0].reservations[0].reason
        assert drivers["q1"].prepared == []

    in_lab(tmp_path, dialogue, TWO)


def test_a_contributed_qpu_links_at_once_and_gets_jobs_once_it_is_approved(tmp_path: Path) -> None:
    async def story(lab: Lab, driver: ScriptedDriver) -> None:
        enrolled = await lab.enrollment.ask(ANN, EnrollmentIn(name="anns"), address="http://lab")
        assert enrolled.enrollment.pending
        with pytest.raises(Conflict, match=r"called anns\. ANNS differs from it in case alone"):
            await lab.enrollment.ask(ANN, EnrollmentIn(name="ANNS"), address="http://lab")
        own = ScriptedDriver(lab, await lab.authenticator.authenticate(enrolled.driver.token), manifest=HARDWARE)
        await own.connect()
        with pytest.raises(Conflict, match="waiting for a manager's approval"):
            await lab.jobs.submit(ANN, bell("anns"))
        with pytest.raises(Conflict, match="waiting for a manager's approval"):  # its driver sees no program of anybody
            await lab.previews.preview(BOB, "anns", PreviewIn(program=bell("anns").program))
        assert own.prepared == []
        assert [one.qpu for one in (await lab.enrollment.list(EVE)).enrollments] == ["anns"]
        assert (await lab.enrollment.list(BOB)).enrollments == []
        rejected = await lab.enrollment.decide(EVE, "anns", EnrollmentAnswer(action="reject", reason="no helium"))
        assert (rejected.trust, rejected.pending) == (TrustTier.PUBLIC_UNTRUSTED, False)
        with pytest.raises(Conflict, match=r"not approved \(no helium\)"):
            await lab.jobs.submit(ANN, bell("anns"))
        approved = await lab.enrollment.decide(EVE, "anns", EnrollmentAnswer(action="approve"))
        assert approved.trust is TrustTier.USER_CONTRIBUTED
        submitted, _ = await lab.jobs.submit(BOB, bell("anns"))
        assert (await own.claim()).job_id == submitted.id

    trip(tmp_path, story, enrollment=True)


def test_who_may_not_enrol_or_approve_is_told_so(tmp_path: Path) -> None:
    async def story(lab: Lab, driver: ScriptedDriver) -> None:
        with pytest.raises(Forbidden, match="enrollment") as caught:
            await lab.enrollment.ask(ANN, EnrollmentIn(name="anns"), address="http://lab")
        assert caught.value.code == "no_enrollment"
        await lab.enrollment.ask(EVE, EnrollmentIn(name="eves"), address="http://lab")
        with pytest.raises(Forbidden, match="another manager"):
            await lab.enrollment.decide(EVE, "eves", EnrollmentAnswer(action="approve"))
        await lab.enrollment.decide(ADMIN, "eves", EnrollmentAnswer(action="approve"))
        with pytest.raises(Conflict, match="the lab's own"):
            await lab.enrollment.decide(EVE, "q1", EnrollmentAnswer(action="reject"))
        await lab.bench.delete_qpu(ADMIN, "eves")
        with pytest.raises(Conflict, match="or was"):  # its history is not for whoever takes its name
            await lab.enrollment.ask(EVE, EnrollmentIn(name="eves"), address="http://lab")

    trip(tmp_path, story)


def test_trust_outlives_the_server(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            await lab.enrollment.decide(ADMIN, "q1", EnrollmentAnswer(action="quarantine"))
        async with open_lab(tmp_path) as lab:
            with pytest.raises(Conflict, match="in quarantine"):
                await lab.jobs.submit(ANN, bell("q1"))

    asyncio.run(dialogue())


def test_latency_is_measured_with_drivers_that_answer_to_that(tmp_path: Path) -> None:
    async def story(lab: Lab, driver: ScriptedDriver) -> None:
        await driver.connect()
        await driver.heartbeat()
        await settled(lab)
        assert (await lab.services.services(ANN)).qpus[0].latency_s is None
        driver.unplug()
        driver.hello = {"pings": True}
        await driver.connect()
        asked = asyncio.Event()

        async def ping(_: msgspec.Raw) -> frames.Frame:
            asked.set()
            return frames.Frame()

        driver.handlers[frames.PING] = ping
        await driver.heartbeat()
        await asked.wait()
        await settled(lab)
        latency_s = (await lab.services.services(ANN)).qpus[0].latency_s
        assert latency_s is not None
        assert 0.0 < latency_s < 5.0

    trip(tmp_path, story)

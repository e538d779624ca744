"""What managers do to the bench: drivers renewed and revoked, QPUs deleted, simulators started and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from qpi_jupyter.core.calibrations import Calibration
from qpi_jupyter.core.errors import Conflict, NotFound, Rejected, Unauthorized
from qpi_jupyter.core.manifest import QubitProperties
from qpi_jupyter.core.twins import unpack_twin
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.bench import SimulatorIn
from qpi_jupyter.wire.bookings import BookingIn, SessionIn
from qpi_jupyter.wire.events import DriverChanged
from qpi_jupyter.wire.rest import DriverIn, QpuChange, QpuIn
from qpi_server.service import EmbeddedDriver, Lab
from tests.faults.lab import ADMIN, ANN, FrozenClock, bell, driver_of, open_lab, settled, small_lab, turn
from tests.support.watch import watch

SOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
REGISTERED = DriverIn(
    name="d2", qpu="q1", executor="my_lab.fridge:Fridge", python="/opt/qpi/bin/python",
    options={"map": [[0, 1]], "file": "a b.json", "share": "5%", "cost": '"$5"'},
)  # fmt: skip
OPTIONS = """-o 'map=[[0, 1]]' -o 'file=a b.json' -o share=5% -o 'cost="$5"'"""
PINNED = {"address": "https://lab:8888/", "ca_fingerprint": "ab:cd"}


class Keeper:
    """Remembers who would be running."""

    def __init__(self, lab: Lab) -> None:
        self.kept: dict[str, EmbeddedDriver] = {}
        lab.embedded.run_by(self)

    async def check(self, driver: EmbeddedDriver) -> None:
        if "qubitz" in driver.options:
            raise Rejected("It has no option 'qubitz'.", code="bad_executor_option")

    def keeps(self, name: str) -> bool:
        return name in self.kept

    def add(self, driver: EmbeddedDriver) -> None:
        self.kept[driver.name] = driver

    async def problem(self, name: str) -> str:
        return "it has no licence"

    async def remove(self, name: str) -> None:
        self.kept.pop(name, None)


@pytest.fixture(autouse=True)
def _watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is done to drivers ends their tokens, and says so."""
    begin = Lab.open

    async def watched(*given: Any, **settings: Any) -> Lab:
        lab = await begin(*given, **settings)
        await watch(lab)
        return lab

    monkeypatch.setattr(Lab, "open", watched)


async def deeds(lab: Lab) -> list[str]:
    """The managers' log, oldest first."""
    page = await lab.audit.page(ADMIN, limit=100, after=None)
    return [entry.action for entry in reversed(page.entries)]


def test_drivers_are_listed_with_what_they_said(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            [before] = (await lab.bench.drivers(ADMIN)).drivers
            assert (before.name, before.qpu, before.linked, before.hello_at) == ("d1", "q1", False, None)
            await driver.connect()
            [after] = (await lab.bench.drivers(ADMIN)).drivers
            assert after.linked
            assert after.version == "1"
            assert after.hello_at is not None

    asyncio.run(dialogue())


def test_a_new_token_ends_the_old_one_and_its_link(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            first = await lab.registration.register(ADMIN, REGISTERED, **PINNED)
            old = await driver_of(lab, "q1", "d3")
            await old.connect()
            renewed = await lab.bench.renew(ADMIN, "d3", **PINNED)
            assert old.closed == ["Its token was renewed."]
            assert (await lab.authenticator.authenticate(renewed.token)).name == old.principal.name
            again = await lab.bench.renew(ADMIN, "d2", **PINNED)
            with pytest.raises(Unauthorized):
                await lab.authenticator.authenticate(first.token)
            assert again.id == first.id
            assert f"--token {again.token} --ca-fingerprint ab:cd" in again.command
            assert f"--executor my_lab.fridge:Fridge {OPTIONS} --token {first.token} " in first.command
            assert f"--executor my_lab.fridge:Fridge {OPTIONS} --token {again.token} " in again.command
            assert " --executor fake " in renewed.command  # as a driver of the QPU has said
            assert "ExecStart=/opt/qpi/bin/python -m qpi_agent start " in again.unit
            assert r'''-o "map=[[0, 1]]" -o "file=a b.json" -o share=5%% -o "cost=\"$$5\""''' in again.unit
            assert f"Environment=QPI_ACCESS_TOKEN={again.token}" in again.unit
            assert again.token not in again.unit.split("ExecStart=")[1]
            assert (await deeds(lab))[-1] == "driver.renewed"

    asyncio.run(dialogue())


def test_a_revoked_driver_is_out_and_its_name_is_free(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            assert (await lab.bench.revoke(ADMIN, "d1")).drivers == []
            assert driver.closed == ["It was revoked."]
            with pytest.raises(NotFound):
                await lab.bench.renew(ADMIN, "d1", **PINNED)
            with pytest.raises(NotFound):
                await lab.bench.revoke(ADMIN, "d1")
            back = await driver_of(lab, "q1", "d1")
            await back.connect()
            assert back.principal.name == driver.principal.name  # its attempts of before are its own still
            assert (await deeds(lab))[-2:] == ["driver.revoked", "driver.registered"]

    asyncio.run(dialogue())


def test_a_driver_is_drained_while_it_is_there(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            with pytest.raises(Conflict) as offline:
                await lab.drivers.drain(ADMIN, "d1")
            assert offline.value.code == "driver_offline"
            with pytest.raises(NotFound):
                await lab.drivers.drain(ADMIN, "nobody")
            await driver.connect()
            assert [one.draining for one in (await lab.bench.drivers(ADMIN)).drivers] == [False]
            drained = await lab.drivers.drain(ADMIN, "d1")
            await driver.drains.wait()
            assert (drained.name, drained.online) == ("d1", True)
            driver.drains.clear()
            await lab.drivers.drain(ADMIN, "d1")  # again: the driver hears it, and nobody else
            await driver.drains.wait()
            assert [one.draining for one in (await lab.bench.drivers(ADMIN)).drivers] == [True]
            assert [one.draining for one in (await lab.qpus.drivers(ADMIN, "q1")).drivers] == [True]
            assert (await deeds(lab)).count("driver.drained") == 1
            said = [e.data for e in (await lab.events.page(ADMIN)).events if isinstance(e, DriverChanged)]
            assert [(data.action, data.by) for data in said] == [
                ("registered", "root"), ("linked", ""), ("drained", "root"),
            ]  # fmt: skip
            assert not [e for e in (await lab.events.page(ANN)).events if isinstance(e, DriverChanged)]

    asyncio.run(dialogue())


def test_a_driver_that_comes_back_while_it_drains_says_so(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.drivers.drain(ADMIN, "d1")
            driver.unplug()
            assert [one.draining for one in (await lab.bench.drivers(ADMIN)).drivers] == [False]
            driver.hello["draining"] = True
            await driver.connect()
            assert [one.draining for one in (await lab.bench.drivers(ADMIN)).drivers] == [True]

    asyncio.run(dialogue())


def test_a_qpu_with_work_is_not_deleted(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            with pytest.raises(Conflict, match="1 job waiting") as caught:
                await lab.bench.delete_qpu(ADMIN, "q1")
            assert caught.value.data == {"queued": 1, "running": 0}
            claimed = await driver.claim()
            await driver.started(claimed)
            with pytest.raises(Conflict, match="1 running"):
                await lab.bench.delete_qpu(ADMIN, "q1")
            await driver.deliver(claimed)
            assert (await lab.bench.delete_qpu(ADMIN, "q1")).qpus == []
            assert driver.closed == ["Its QPU was deleted."]
            assert (await lab.jobs.get(ANN, job.id)).qpu == "q1"  # what was done stays
            with pytest.raises(NotFound):
                await lab.jobs.submit(ANN, bell())
            with pytest.raises(NotFound):
                await lab.bench.delete_qpu(ADMIN, "q1")
            with pytest.raises(NotFound):
                await lab.qpus.change(ADMIN, "q1", QpuChange(enabled=False))

    asyncio.run(dialogue())


def test_a_booked_qpu_is_not_deleted(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock) as (lab, _):
            body = BookingIn(qpu="q1", start_at=clock.now().replace(hour=9), end_at=clock.now().replace(hour=10))
            await lab.bookings.create(ANN, body)
            with pytest.raises(Conflict, match="1 booking to come"):
                await lab.bench.delete_qpu(ADMIN, "q1")
            clock.advance(11 * 3600)
            assert (await lab.bench.delete_qpu(ADMIN, "q1")).qpus == []

    asyncio.run(dialogue())


@pytest.mark.parametrize(
    "ask",
    [
        lambda lab: lab.qpu_sessions.open(ANN, SessionIn(qpu="q1", budget_s=100.0)),
        lambda lab: lab.bookings.create(ANN, BookingIn(qpu="q1", start_at=SOON, end_at=SOON + timedelta(hours=1))),
        lambda lab: lab.registration.register(ADMIN, DriverIn(name="d2", qpu="q1"), address="http://lab"),
    ],
    ids=["session", "booking", "driver"],
)
def test_what_is_asked_of_a_qpu_while_it_is_deleted_finds_none(
    tmp_path: Path, ask: Callable[[Lab], Coroutine[Any, Any, Any]]
) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            await driver.connect()
            gone, late = asyncio.create_task(lab.bench.delete_qpu(ADMIN, "q1")), asyncio.create_task(ask(lab))
            assert (await gone).qpus == []
            with pytest.raises(NotFound, match="no QPU called 'q1'"):
                await late

    asyncio.run(dialogue())


def test_a_deleted_qpu_comes_back_with_its_history(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.qpus.change(ADMIN, "q1", QpuChange(hold="cooling"))
            await lab.bench.delete_qpu(ADMIN, "q1")
            back = await lab.qpus.create(ADMIN, QpuIn(name="q1", kind="device", description="the second life"))
            assert (back.kind, back.description, back.status) == ("device", "the second life", "offline")
            assert back.manifest is None
            with pytest.raises(Conflict):
                await lab.qpus.create(ADMIN, QpuIn(name="q1"))
        async with open_lab(tmp_path) as lab:
            assert [qpu.name for qpu in (await lab.qpus.list(ADMIN)).qpus] == ["q1"]

    asyncio.run(dialogue())


@pytest.mark.parametrize("way", ["token", "switch", "renew", "revoke"])
def test_a_driver_that_was_sent_away_and_does_not_hang_up_is_not_heard(tmp_path: Path, way: str) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            await lab.jobs.submit(ANN, bell())
            said = {"epoch": driver.epoch}
            if way == "token":
                (token,) = (await lab.tokens.list(ADMIN, owner=driver.principal.name)).tokens
                await lab.tokens.revoke(ADMIN, token.id)
            elif way == "switch":
                await lab.drivers.switch(ADMIN, "d1", enabled=False)
            elif way == "renew":
                await lab.bench.renew(ADMIN, "d1", **PINNED)
            else:
                await lab.bench.revoke(ADMIN, "d1")
            with pytest.raises(Conflict, match="not the driver's current one"):
                await driver.link.handlers[frames.CLAIM](msgspec.Raw(msgspec.json.encode(said)))
            assert (await lab.qpus.get(ANN, "q1")).status == "offline"

    asyncio.run(dialogue())


def test_a_revoked_driver_is_sent_away_also_where_nobody_waits_for_the_answer(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            revoke = asyncio.create_task(lab.bench.revoke(ADMIN, "d1"))
            await turn(2)
            revoke.cancel()
            await settled(lab)
            assert driver.closed == ["It was revoked."]
            assert lab.links.all() == []

    asyncio.run(dialogue())


def test_the_lab_knows_its_qpus_also_where_nobody_waits_for_the_answer(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            for work, names in (
                (lab.qpus.create(ADMIN, QpuIn(name="q2")), ["q1", "q2"]),
                (lab.bench.delete_qpu(ADMIN, "q1"), ["q2"]),
            ):
                task = asyncio.create_task(work)
                await turn(2)
                task.cancel()
                await settled(lab)
                assert lab.context.qpus.names == names

    asyncio.run(dialogue())


def test_simulators_start_and_stop(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            keeper = Keeper(lab)
            request = SimulatorIn(name="sim", options={"num_qubits": 3}, places=2, description="three qubits")
            [one] = (await lab.embedded.start(ADMIN, request)).simulators
            assert (one.name, one.qpu, one.executor, one.options) == ("sim", "sim", "mock", {"num_qubits": 3})
            assert one.running
            assert not one.linked
            assert keeper.kept["sim"].places == 2
            assert (await lab.qpus.get(ADMIN, "sim")).simulator
            with pytest.raises(Conflict, match="already"):
                await lab.embedded.start(ADMIN, SimulatorIn(name="sim"))
            for deed in (lab.bench.revoke(ADMIN, "sim"), lab.bench.renew(ADMIN, "sim", **PINNED)):
                with pytest.raises(Conflict, match="start and stop it as such"):
                    await deed
            assert (await lab.embedded.stop(ADMIN, "sim")).simulators == []
            assert keeper.kept == {}
            assert (await lab.qpus.get(ADMIN, "sim")).status == "offline"
            with pytest.raises(NotFound):
                await lab.embedded.stop(ADMIN, "sim")
            assert len((await lab.embedded.start(ADMIN, request)).simulators) == 1
            assert await deeds(lab) == ["simulator.started", "simulator.stopped", "simulator.started"]

    asyncio.run(dialogue())


def test_a_twin_is_a_simulator_made_of_a_calibration(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            keeper = Keeper(lab)
            request = SimulatorIn(name="q1-twin", twin_of="q1", options={"seed": 7})
            with pytest.raises(Rejected, match="q1 has no calibration"):
                await lab.embedded.start(ADMIN, request)
            await driver.connect()
            cold = Calibration(id="cold", qubits=(QubitProperties(t1_s=1e-4),))
            await driver.recalibrate(cold)
            with pytest.raises(NotFound, match="no QPU called 'q9'"):
                await lab.embedded.start(ADMIN, SimulatorIn(name="x", twin_of="q9"))
            [one] = (await lab.embedded.start(ADMIN, request)).simulators
            assert (one.twin_of, one.executor, one.options["seed"]) == ("q1", "qiskit_aer", 7)
            assert one.description == "Twin of q1, calibration cold."
            of, manifest = unpack_twin(str(keeper.kept["q1-twin"].options["twin"]))
            assert (of, manifest["calibration_id"], manifest["qubits"][0]["t1_s"]) == ("q1", "cold", 1e-4)
            with pytest.raises(Conflict, match="already"):
                await lab.embedded.start(ADMIN, request)
            # It is a definition like others: what was stopped by mistake starts as it was.
            with pytest.raises(Conflict, match="There is a twin of q1 called q1-twin already: submit to q1-twin"):
                await lab.embedded.start(ADMIN, request)
            with pytest.raises(Conflict, match=r"There is a driver called q1-twin already\."):
                await lab.embedded.start(ADMIN, SimulatorIn(name="q1-twin", executor=one.executor))
            await lab.embedded.stop(ADMIN, "q1-twin")
            await driver.recalibrate(Calibration(id="warm", qubits=cold.qubits))
            again = SimulatorIn(name="q1-twin", executor=one.executor, options=one.options)
            assert (await lab.embedded.start(ADMIN, again)).simulators[0].options == one.options

    asyncio.run(dialogue())


def test_a_simulator_that_would_not_start_leaves_nothing_behind(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            keeper = Keeper(lab)
            with pytest.raises(Rejected, match="qubitz"):
                await lab.embedded.start(ADMIN, SimulatorIn(name="sim", options={"qubitz": 3}))
            assert (keeper.kept, await lab.embedded.definitions(), await deeds(lab)) == ({}, [], [])
            assert (await lab.qpus.list(ADMIN)).qpus == []

    asyncio.run(dialogue())


def test_a_simulator_ends_with_its_qpu(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            keeper = Keeper(lab)
            await lab.embedded.start(ADMIN, SimulatorIn(name="sim"))
            await lab.bench.delete_qpu(ADMIN, "sim")
            assert keeper.kept == {}
            assert await lab.embedded.definitions() == []

    asyncio.run(dialogue())


def test_a_server_that_starts_no_drivers_says_so(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with open_lab(tmp_path) as lab:
            with pytest.raises(Conflict, match="QPI_EMBEDDED_DRIVERS"):
                await lab.embedded.start(ADMIN, SimulatorIn(name="sim"))
            assert await lab.embedded.definitions() == []

    asyncio.run(dialogue())


def test_a_drivers_name_is_no_simulators(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, _):
            Keeper(lab)
            with pytest.raises(Conflict, match="d1"):
                await lab.embedded.start(ADMIN, SimulatorIn(name="d1", qpu="q1"))

    asyncio.run(dialogue())

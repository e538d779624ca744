"""What managers do to the bench: drivers renewed and revoked, QPUs deleted, simulators started and stopped."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qpi_jupyter.core.errors import Conflict, NotFound, Rejected, Unauthorized
from qpi_jupyter.wire.bench import SimulatorIn
from qpi_jupyter.wire.bookings import BookingIn
from qpi_jupyter.wire.rest import DriverIn, QpuChange, QpuIn
from qpi_server.service import EmbeddedDriver, Lab
from tests.faults.lab import ADMIN, ANN, FrozenClock, bell, driver_of, open_lab, small_lab

PINNED = {"address": "https://lab:8888/", "ca_fingerprint": "ab:cd"}


class Keeper:
    """Remembers who would be running."""

    def __init__(self, lab: Lab) -> None:
        self.kept: dict[str, EmbeddedDriver] = {}
        lab.embedded.keeper = self

    async def check(self, driver: EmbeddedDriver) -> None:
        if "qubitz" in driver.options:
            raise Rejected("It has no option 'qubitz'.", code="bad_executor_option")

    def keeps(self, name: str) -> bool:
        return name in self.kept

    def add(self, driver: EmbeddedDriver) -> None:
        self.kept[driver.name] = driver

    async def remove(self, name: str) -> None:
        self.kept.pop(name, None)


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
            first = await lab.people.register_driver(ADMIN, DriverIn(name="d2", qpu="q1"), **PINNED)
            old = await driver_of(lab, "q1", "d3")
            await old.connect()
            renewed = await lab.bench.renew(ADMIN, "d3", **PINNED)
            assert old.closed == ["Its token was renewed."]
            assert (await lab.people.authenticate(renewed.token)).name == old.principal.name
            again = await lab.bench.renew(ADMIN, "d2", **PINNED)
            with pytest.raises(Unauthorized):
                await lab.people.authenticate(first.token)
            assert again.id == first.id
            assert f"--token {again.token} --ca-fingerprint ab:cd" in again.command
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


def test_a_qpu_with_work_is_not_deleted(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            await driver.connect()
            job, _ = await lab.jobs.submit(ANN, bell())
            with pytest.raises(Conflict, match="1 jobs waiting") as caught:
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
            with pytest.raises(Conflict, match="1 bookings to come"):
                await lab.bench.delete_qpu(ADMIN, "q1")
            clock.advance(11 * 3600)
            assert (await lab.bench.delete_qpu(ADMIN, "q1")).qpus == []

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

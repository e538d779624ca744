"""What a QPU is and has: every face of the lab says the same, through all that may happen to it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.outlook import ENOUGH
from qpi_jupyter.core.planner import Rule
from qpi_jupyter.wire.events import QpuChanged
from qpi_jupyter.wire.rest import QpuChange
from qpi_server.service import Lab
from tests.faults.lab import ADMIN, ANN, FrozenClock, bell, settled, small_lab
from tests.support.rules import book, moment

MANAGER = Principal(name="mia", roles=frozenset({Role.MANAGER}))
PATIENT: dict[str, Any] = {"reask_s": 1e6, "lease_s": 1e6}


async def faces(lab: Lab) -> tuple[str, str, int, int]:
    """The state, its reason and the counts of q1, after every face was found to say them."""
    await settled(lab)
    (listed,) = (await lab.qpus.list(ANN)).qpus
    shown = await lab.qpus.get(ANN, "q1")
    for name in listed.__struct_fields__:
        assert getattr(listed, name) == getattr(shown, name)
    for status, count in (("pending", listed.queued), ("running", listed.running)):
        page = await lab.jobs.list(ADMIN, mine=False, qpu="q1", status=status)
        assert [job.status for job in page.jobs] == [status] * count
        gauge = {"pending": "queued", "running": "running"}[status]
        assert (lab.metrics.get_sample_value(f"qpi_jobs_{gauge}", {"qpu": "q1"}) or 0) == count
    events = [event for event in (await lab.events.page(ANN)).events if isinstance(event, QpuChanged)]
    assert (events[-1].data.status, events[-1].data.reason) == (listed.status, listed.reason)
    assert events[-1].data.until_at == listed.until_at
    return listed.status, listed.reason, listed.queued, listed.running


def test_the_faces_of_a_qpu_agree_through_its_life(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            assert await faces(lab) == ("offline", "", 0, 0)
            await driver.connect()
            assert await faces(lab) == ("online", "", 0, 0)
            for _ in range(ENOUGH):
                await lab.jobs.submit(ANN, bell())
                await driver.run()
            first, second, third = [(await lab.jobs.submit(ANN, bell()))[0] for _ in range(3)]
            running, staged = await driver.claim(), await driver.claim()
            assert (running.job_id, staged.job_id) == (first.id, second.id)
            assert await faces(lab) == ("online", "", 3, 0)  # given to the driver, and not begun
            await driver.started(running)
            assert await faces(lab) == ("online", "", 2, 1)

            for n, job in enumerate((second, third)):
                found = await lab.jobs.get(ANN, job.id)
                assert found.reason is not None
                assert found.eta is not None
                assert (found.reason.position, found.reason.rule, found.eta.known) == (
                    n + 1, (Rule.NEXT, Rule.BEHIND)[n], True
                )  # fmt: skip

            async def waits(rule: Rule, words: str) -> None:
                """The waiting job says why, and no start is promised."""
                found = await lab.jobs.get(ANN, third.id)
                assert found.reason is not None
                assert found.eta is not None
                assert (found.reason.rule, found.eta.known, found.eta.likely_at) == (rule, False, None)
                assert words in found.reason.message

            await lab.qpus.change(MANAGER, "q1", QpuChange(hold="helium refill"))
            assert await faces(lab) == ("held", "helium refill", 2, 1)
            await waits(Rule.HOLD, "on hold: helium refill")
            await lab.qpus.change(MANAGER, "q1", QpuChange(hold=None, maintenance=True))
            assert await faces(lab) == ("maintenance", "", 2, 1)
            await waits(Rule.MAINTENANCE, "in maintenance")
            await lab.qpus.change(MANAGER, "q1", QpuChange(maintenance=False, enabled=False))
            assert await faces(lab) == ("disabled", "", 2, 1)
            await waits(Rule.QPU_DISABLED, "disabled")
            await lab.qpus.change(MANAGER, "q1", QpuChange(enabled=True))
            assert await faces(lab) == ("online", "", 2, 1)
            await driver.deliver(running)
            assert await faces(lab) == ("online", "", 2, 0)
            driver.unplug()
            assert (await faces(lab))[0] == "offline"
            await waits(Rule.QPU_OFFLINE, "offline")

    asyncio.run(dialogue())


@pytest.mark.parametrize("linked", [True, False])
def test_a_booked_maintenance_is_a_state_that_begins_and_ends_by_itself(tmp_path: Path, linked: bool) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, **PATIENT) as (lab, driver):
            if linked:
                await driver.connect()
            usual = "online" if linked else "offline"
            await book(lab, "mia", 10, 60, mode="maintenance")
            until = moment(lab) + timedelta(seconds=60)
            assert (await faces(lab))[0] == usual
            clock.advance(10)
            assert (await faces(lab))[0] == "maintenance"
            assert (await lab.qpus.get(ANN, "q1")).until_at == until
            job, _ = await lab.jobs.submit(ANN, bell(qpu="q1"))
            assert job.reason is not None
            assert job.eta is not None
            assert (job.reason.rule, job.reason.until_at, job.eta.known) == (Rule.MAINTENANCE, until, False)
            clock.advance(50)
            assert (await faces(lab))[0] == usual

    asyncio.run(dialogue())

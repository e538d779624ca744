"""A check that could not be made is the bench's fault: the job waits. And nobody's checks starve another's."""

from __future__ import annotations

import ast
import asyncio
import logging
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from msgspec import Raw

import qpi_server.service
from qpi_jupyter.core import errors
from qpi_jupyter.core.access import Principal, Role
from qpi_jupyter.core.errors import QpiError, Rejected, TooLarge
from qpi_jupyter.wire.frames import OLD_FRAME_BYTES, PREPARE, Prepare, Prepared
from qpi_jupyter.wire.peer import parse
from qpi_jupyter.wire.rest import OptionsIn
from qpi_server.service import Lab
from qpi_server.service.submit import LAST_REST_S
from tests.faults.lab import (
    ANN,
    BOB,
    QUICK,
    SIMULATOR,
    FrozenClock,
    ScriptedDriver,
    bell,
    driver_of,
    open_lab,
    settled,
    small_lab,
)
from tests.support.waiting import until

FINE = Prepared(estimate=QUICK)
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, QpiError)]
RAISED, ANSWERED = "raised", "answered"


def labelled(number: int) -> Any:
    """A request that is told from others by its shots."""
    return bell(options=OptionsIn(shots=number))


async def submit(lab: Lab, who: Principal, number: int) -> str:
    job, _ = await lab.jobs.submit(who, labelled(number))
    assert not job.checked
    return job.id


async def time_passes(clock: FrozenClock, driver: ScriptedDriver, seconds: float = LAST_REST_S) -> None:
    """While the driver gives its signs of life."""
    for _ in range(int(seconds)):
        clock.advance(1.0)
        await driver.heartbeat()


def goes_wrong(driver: ScriptedDriver, error: QpiError, way: str) -> None:
    """From now on every check ends with this error."""

    async def prepare(data: Raw) -> Prepared:
        driver.prepared.append(Prepare(key="", program=None))  # type: ignore[arg-type]
        if way == RAISED:
            raise error
        return Prepared(error=error.to_dict())

    driver.handlers[PREPARE] = prepare


def goes_well(driver: ScriptedDriver) -> None:
    driver.handlers[PREPARE] = driver.prepare


class Held:
    """Checks that wait until the test lets them go, by the shots of their job."""

    def __init__(self, driver: ScriptedDriver) -> None:
        self.asked: list[int] = []
        self._gates: dict[int, asyncio.Event] = defaultdict(asyncio.Event)
        driver.handlers[PREPARE] = self._prepare

    def release(self, number: int) -> None:
        self._gates[number].set()

    async def _prepare(self, data: Raw) -> Prepared:
        number = parse(data, Prepare).program.options.shots
        self.asked.append(number)
        await self._gates[number].wait()
        return FINE


# Whose fault it is


@pytest.mark.parametrize("way", [RAISED, ANSWERED])
def test_only_what_is_found_out_about_the_program_ends_a_job(tmp_path: Path, way: str) -> None:
    clock = FrozenClock()

    async def blamed(lab: Lab, kind: type[QpiError], stored: str) -> None:
        failed = await lab.jobs.get(ANN, stored, wait_s=30)
        assert failed.error is not None
        assert (failed.status, failed.error.kind) == ("failed", kind.__name__)
        with pytest.raises(kind):
            await lab.jobs.submit(ANN, labelled(2))

    async def spared(lab: Lab, driver: ScriptedDriver, stored: str) -> None:
        later = await submit(lab, ANN, 2)
        await settled(lab)
        for job_id in (stored, later):
            job = await lab.jobs.get(ANN, job_id)
            assert (job.phase, job.checked) == ("queued", False)
            assert job.reason is not None
            assert job.reason.rule == "unchecked"
            assert "It went wrong." in job.reason.message
        goes_well(driver)
        await time_passes(clock, driver)
        assert {(await driver.run()).job_id for _ in range(2)} == {stored, later}

    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=clock) as (lab, driver):
            for kind in KINDS:
                stored = await submit(lab, ANN, 1)
                await driver.connect()
                goes_wrong(driver, kind("It went wrong.", code="odd"), way)
                await settled(lab)
                if way == ANSWERED and issubclass(kind, Rejected | TooLarge):
                    await blamed(lab, kind, stored)
                else:
                    await spared(lab, driver, stored)
                driver.unplug()
                await settled(lab)

    asyncio.run(dialogue())


def test_nothing_but_the_border_asks_drivers_for_checks_or_says_whose_fault_it_is() -> None:
    """`Checker.ask` is the one place where an error of a check becomes the program's or the bench's."""
    asking, judging = set(), set()
    for path in Path(qpi_server.service.__file__).parent.rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
        if "PREPARE" in names:
            asking.add(path.name)
        if "programs_fault" in names:
            judging.add(path.name)
    assert asking == {"checking.py"}
    assert judging == {"checking.py", "unchecked.py"}


def test_a_silent_driver_costs_no_job_and_is_asked_ever_less_often(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FrozenClock()
    caplog.set_level(logging.INFO, "qpi_server.service.submit.unchecked")

    async def rests(after: int) -> None:
        """Until so many tries were in vain."""
        await until(lambda: sum("is not checked yet" in line for line in caplog.messages) == after)

    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=clock, check_timeout_s=0.01) as (lab, driver):
            jobs = [await submit(lab, ANN, n) for n in (1, 2)]
            driver.silent = True
            await driver.connect()
            for count in range(1, 8):
                # In an hour it is asked often; what is asked is not what failed the last time.
                await until(lambda count=count: len(driver.prepared) == count)  # type: ignore[misc]
                await rests(after=count)
                assert driver.prepared[-1].program.options.shots == (count - 1) % 2 + 1
                await time_passes(clock, driver, min(2 ** (count - 1), LAST_REST_S) - 1.0)
                await settled(lab)
                assert len(driver.prepared) == count
                await time_passes(clock, driver, 1.0)
            job = await lab.jobs.get(ANN, jobs[0])
            assert job.reason is not None
            assert "did not answer within 0.01 s" in job.reason.message
            await until(lambda: len(driver.prepared) == 8)
            driver.silent = False
            await rests(after=8)
            await time_passes(clock, driver)
            assert {(await driver.run()).job_id for _ in jobs} == set(jobs)

    asyncio.run(dialogue())


def test_a_driver_that_comes_back_is_asked_at_once(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=FrozenClock()) as (lab, driver):
            job_id = await submit(lab, ANN, 1)
            await driver.connect()
            goes_wrong(driver, errors.Faulted("The checking process does not start."), RAISED)
            await until(lambda: bool(driver.prepared))
            await settled(lab)
            driver.unplug()
            await settled(lab)
            await driver.connect()
            assert (await driver.claim()).job_id == job_id

    asyncio.run(dialogue())


def test_a_job_waits_for_its_check_over_a_restart_of_the_lab(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            job_id = await submit(lab, ANN, 1)
            driver.silent = True
            await driver.connect()
            await until(lambda: bool(driver.prepared))
            principal = driver.principal
        async with open_lab(tmp_path) as lab:
            again = ScriptedDriver(lab, principal)
            await again.connect()
            assert (await again.run()).job_id == job_id
            assert (await lab.jobs.get(ANN, job_id)).status == "completed"

    asyncio.run(dialogue())


def test_without_any_driver_a_job_waits_and_can_be_cancelled(tmp_path: Path) -> None:
    clock = FrozenClock()

    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=clock) as (lab, _):
            job_id = await submit(lab, ANN, 1)
            clock.advance(30 * 86_400.0)
            await settled(lab)
            job = await lab.jobs.get(ANN, job_id)
            assert (job.phase, job.reason and job.reason.message) == ("queued", "q1 is offline.")
            assert (await lab.jobs.cancel(ANN, job_id)).status == "cancelled"

    asyncio.run(dialogue())


def test_a_job_that_is_cancelled_during_its_check_stays_cancelled(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            first, second = [await submit(lab, ANN, n) for n in (1, 2)]
            await driver.connect()
            held = Held(driver)
            await until(lambda: held.asked == [1])
            await lab.jobs.cancel(ANN, first)
            held.release(1)
            held.release(2)
            assert (await driver.run()).job_id == second
            assert (await lab.jobs.get(ANN, first)).status == "cancelled"

    asyncio.run(dialogue())


def test_another_driver_of_the_pool_is_asked_where_one_cannot(tmp_path: Path) -> None:
    clock = FrozenClock()

    async def dialogue() -> None:
        async with small_lab(tmp_path, clock=clock) as (lab, broken):
            sound = await driver_of(lab, "q1", "d2")
            await broken.connect()
            goes_wrong(broken, errors.Faulted("The checking process does not start."), RAISED)
            job_id = await submit(lab, ANN, 1)
            await sound.connect()
            assert (await sound.claim()).job_id == job_id
            for number in range(2, 6):
                assert (await lab.jobs.submit(ANN, labelled(number)))[0].checked
            assert len(broken.prepared) <= 2

    asyncio.run(dialogue())


# Whose turn it is


def test_everybody_is_asked_about_once_before_anybody_twice(tmp_path: Path) -> None:
    people = [Principal(name=f"p{n:02}", roles=frozenset({Role.USER})) for n in range(40)]

    async def dialogue() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            for number in range(1, 4):
                for n, person in enumerate(people):
                    await submit(lab, person, 100 * number + n)
            await driver.connect()
            await until(lambda: len(driver.prepared) == 3 * len(people))
            asked = [prepare.person for prepare in driver.prepared]
            rounds = [asked[i : i + len(people)] for i in range(0, len(asked), len(people))]
            assert all(len(set(each)) == len(people) for each in rounds)
            assert not {person.name for person in people} & set(asked), "a driver learns no names"

    asyncio.run(dialogue())


def test_while_a_slow_check_runs_another_persons_job_is_checked_and_runs_before_their_second(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, check_budget_s=0.05) as (lab, driver):
            await driver.connect()
            held = Held(driver)
            slow = [await submit(lab, ANN, n) for n in (1, 2, 3)]
            await until(lambda: held.asked.count(1) == 2)  # at submit, and of the stored job
            mine = await submit(lab, BOB, 10)
            held.release(10)
            assert (await driver.run()).job_id == mine
            # At submit each was asked about once; of the stored ones only the first.
            assert [held.asked.count(n) for n in (1, 2, 3)] == [2, 1, 1]
            states = [(await lab.jobs.get(ANN, job_id)).phase for job_id in slow]
            assert states == ["queued"] * 3

    asyncio.run(dialogue())


def large(lab: Lab) -> Any:
    """A request that no frame of an older driver has room for."""
    return lab.jobs.submit(ANN, bell(options=OptionsIn(shots=1, extra={"noise": "x" * OLD_FRAME_BYTES})))


NOISY = replace(SIMULATOR, options=("noise",))


def test_a_job_waits_for_a_driver_that_is_new_enough_and_says_so(tmp_path: Path) -> None:
    async def dialogue() -> None:
        clock = FrozenClock()
        async with small_lab(tmp_path, clock=clock, driver={"manifest": NOISY}) as (lab, driver):
            driver.hello = {"max_frame_bytes": OLD_FRAME_BYTES}
            await driver.connect()
            job, _ = await large(lab)
            await settled(lab)
            waits = (await lab.jobs.get(ANN, job.id)).reason
            assert waits is not None
            assert "too old for run options of" in waits.message
            assert driver.prepared == []
            small, _ = await lab.jobs.submit(BOB, bell())
            given = await driver.claim()
            assert given.job_id == small.id
            await driver.deliver(given)
            driver.unplug()
            driver.hello = {}
            await driver.connect()
            assert (await driver.claim()).job_id == job.id

    asyncio.run(dialogue())


def test_in_a_pool_an_older_driver_gets_what_it_can_take(tmp_path: Path) -> None:
    async def dialogue() -> None:
        async with small_lab(tmp_path, driver={"manifest": NOISY}) as (lab, new):
            await new.connect()
            old = await driver_of(lab, "q1", "d2", manifest=NOISY, max_frame_bytes=OLD_FRAME_BYTES)
            await old.connect()
            job, _ = await large(lab)
            small, _ = await lab.jobs.submit(BOB, bell())
            assert (await old.claim()).job_id == small.id
            assert (await new.claim()).job_id == job.id

    asyncio.run(dialogue())

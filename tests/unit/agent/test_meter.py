"""Readings of an executor's own: kept for the next heartbeat, and a gap where it raises, ends or hangs."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from qpi_agent.messages import MAX_CHANNELS, Open
from qpi_agent.meter import Meter
from qpi_agent.process import ForkServer
from qpi_agent.readings import reads, said
from qpi_executors import load
from qpi_jupyter.wire.frames import Reading
from tests.support.waiting import PATIENCE_S

THERMOMETER = "tests.faults.executors:ThermometerExecutor"
TEMPERATURE = "mxc/temperature"


def metered(fridge: Path, story: Callable[[Meter, ForkServer], Awaitable[None]], timeout_s: float = PATIENCE_S) -> None:
    """Tell a story of a meter that reads from this file all the time."""

    async def told() -> None:
        forks = ForkServer(THERMOMETER)
        opening = Open(role="read", executor=THERMOMETER, options={"fridge": str(fridge)})
        meter = Meter(opening, forks, every_s=0.01, timeout_s=timeout_s)
        task = asyncio.create_task(meter.live())
        try:
            await asyncio.wait_for(story(meter, forks), PATIENCE_S)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await meter.close()
            assert forks.pids() == []
            forks.close()

    asyncio.run(told())


async def value(meter: Meter, wanted: float | None, channel: str = TEMPERATURE) -> Reading:
    """The first reading of the channel with that value."""
    while True:
        for reading in meter.take():
            if (reading.channel, reading.value) == (channel, wanted):
                return reading
        await asyncio.sleep(0)


def test_what_is_read_is_handed_over_once(tmp_path: Path) -> None:
    fridge = tmp_path / "fridge"
    fridge.write_text("0.011")

    async def story(meter: Meter, forks: ForkServer) -> None:
        assert await value(meter, 0.011) == Reading(channel=TEMPERATURE, value=0.011, unit="K")
        assert await value(meter, None, "compressor") == Reading(channel="compressor", value=None, unit="bar")
        meter.take()
        assert meter.take() == []
        fridge.write_text("0.012")
        await value(meter, 0.012)

    metered(fridge, story)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ("raise", "OSError: the fridge does not answer"),
        ("exit", "the child process ended with status 3"),
        ("hang", "no answer within"),
    ],
)
def test_trouble_is_a_gap_and_said_once(
    tmp_path: Path, trouble: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    fridge = tmp_path / "fridge"
    fridge.write_text("0.011")
    caplog.set_level(logging.INFO, "qpi_agent.meter")

    async def story(meter: Meter, forks: ForkServer) -> None:
        await value(meter, 0.011)
        before = set(forks.pids())
        fridge.write_text(trouble)
        assert (await value(meter, None)).unit == "K"
        await value(meter, None)  # the next call, or the next child, finds the same
        fridge.write_text("0.013")
        await value(meter, 0.013)
        assert (set(forks.pids()) == before) is (trouble == "raise"), "an error costs no process"

    metered(fridge, story, timeout_s=1.0 if trouble == "hang" else PATIENCE_S)
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [why in warning for warning in warnings] == [True]
    assert any("are back" in record.getMessage() for record in caplog.records)


def test_what_is_no_reading_spoils_no_other(tmp_path: Path) -> None:
    fridge = tmp_path / "fridge"
    fridge.write_text("odd")
    executor = load(THERMOMETER, fridge=str(fridge))
    answer = said(executor)
    assert answer.readings == [Reading(channel=TEMPERATURE, value=0.02, unit="K")]
    assert "'driver/cpu': names that begin with driver/ or lab/ are taken" in answer.problem
    assert "'still': expected (value, unit), got 0.9" in answer.problem
    assert "'p1': could not convert string to float" in answer.problem


@pytest.mark.parametrize(
    ("found", "kept", "problem"),
    [
        ({"a": (math.nan, "K"), "b": (math.inf, "K")}, [None, None], ""),
        ({"a": (1, "K"), "b": (1e31, "K")}, [1.0], "'b'"),
        (
            {"a" * 129: (1.0, "K"), "a\n": (1.0, "K"), 3: (1.0, "K"), "b": (1.0, 5), "c": (2.0, "")},
            [2.0],
            "3: Expected",
        ),
        ({f"c{n}": (float(n), "") for n in range(300)}, [float(n) for n in range(MAX_CHANNELS)], "300 channels"),
        (None, [], "AttributeError"),
        ({"a": (10**400, "K"), "b": (1.0, "K"), "c" * 9_000: 0}, [1.0], "'a': int too large"),
    ],
)
def test_readings_are_bounded(found: object, kept: list[float | None], problem: str) -> None:
    executor = load("mock")
    executor.readings = lambda: found  # type: ignore[assignment, return-value, method-assign]
    answer = said(executor)
    assert [reading.value for reading in answer.readings] == kept
    assert problem in answer.problem


def test_channels_that_are_always_new_ones_do_not_grow_beyond_a_heartbeat(tmp_path: Path) -> None:
    fridge = tmp_path / "fridge"
    fridge.write_text("new")

    async def story(meter: Meter, forks: ForkServer) -> None:
        for call in (1, 3):
            found = []
            while f"{call}/149" not in [reading.channel for reading in found]:
                await asyncio.sleep(0)
                found = meter.take() or found
                assert len(found) <= MAX_CHANNELS

    metered(fridge, story)


def test_only_an_executor_with_readings_of_its_own_costs_a_process(tmp_path: Path) -> None:
    assert reads(load(THERMOMETER))
    assert not reads(load("mock"))

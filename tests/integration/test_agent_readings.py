"""A driver hands its executor's readings on with its heartbeats, and lives on whatever becomes of them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from qpi_jupyter.wire import frames
from tests.faults.agent_process import agent
from tests.faults.scripted_lab import ScriptedDriver, ScriptedLab, assignment


async def read(driver: ScriptedDriver, wanted: float | None) -> list[str]:
    """Wait for a heartbeat with this temperature; the jobs that it holds."""
    while True:
        body = (await driver.expect(frames.HEARTBEAT)).body
        for reading in body.get("readings", []):
            if (reading["channel"], reading["value"]) == ("mxc/temperature", wanted):
                assert reading["unit"] == "K"
                return [held["job_id"] for held in body.get("held", [])]


@pytest.mark.slow
def test_readings_come_during_a_run_and_disturb_neither_it_nor_the_driver(tmp_path: Path) -> None:
    fridge = tmp_path / "fridge"
    fridge.write_text("0.011")
    gate = tmp_path / "gate"

    async def story() -> None:
        options = ("-o", f"fridge={fridge}", "-o", f"gate={gate}")
        async with ScriptedLab() as lab, agent(
            tmp_path, lab.url, *options, executor="ColdExecutor"
        ) as running:  # fmt: skip
            driver = await lab.greet()
            await read(driver, 0.011)
            [reader] = running.children("read")
            await driver.assign(assignment("j1"))
            await driver.expect(frames.STARTED)
            fridge.write_text("0.019")
            assert await read(driver, 0.019) == ["j1"]
            fridge.write_text("exit")
            assert await read(driver, None) == ["j1"]
            assert not reader.is_running()
            gate.touch()
            result = await lab.upload()
            assert result.job_id == "j1"
            assert "readings of tests.faults.executors:ColdExecutor" in running.log

    asyncio.run(story())

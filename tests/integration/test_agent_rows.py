"""A driver hands the rows of a running job over: again after a break, and no more once they are refused."""

from __future__ import annotations

import asyncio
import base64
import zlib
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.core import Rejected
from qpi_jupyter.data.codec import decode
from qpi_jupyter.data.selection import as_list
from qpi_jupyter.wire import frames
from qpi_jupyter.wire.frames import Assignment, ProgramRef, RowsTaken
from qpi_jupyter.wire.rest import CircuitIn, OptionsIn
from tests.faults.agent_process import agent
from tests.faults.growing import let
from tests.faults.scripted_lab import ScriptedLab

pytestmark = pytest.mark.slow

RABI = b"""OPENQASM 3.0; include "stdgates.inc"; input float theta; qubit[1] q; bit[1] c;
rx(theta) q[0]; c[0] = measure q[0];"""


def rabi(job_id: str, rows: int = 6) -> Assignment:
    circuits = [CircuitIn(parameter_values=[[0.5 * row] for row in range(rows)])]
    options = OptionsIn(shots=20, seed_simulator=3, circuits=circuits)
    return Assignment(
        job_id=job_id, attempt=1,
        program=ProgramRef(format="openqasm3", sha256="0" * 64, options=options, sources=[RABI]),
    )  # fmt: skip


def rows_in(body: dict[str, Any]) -> list[int]:
    return [row for chunk in body["chunks"] for row in chunk["rows"]]


def test_rows_go_over_while_the_job_runs(tmp_path: Path) -> None:
    gate = tmp_path / "gate"

    async def story() -> None:
        gated = ("-o", f"gate={gate}")
        async with (
            ScriptedLab() as lab,
            agent(tmp_path, lab.url, *gated, executor="tests.faults.growing:GatedSimulator") as running,
        ):
            driver = await lab.greet()
            let(gate, 2)
            await driver.assign(rabi("j1"))
            said = await driver.expect(frames.ROWS)
            assert (said.body["job_id"], said.body["attempt"], said.body["epoch"]) == ("j1", 1, 7)
            seen, have = rows_in(said.body), len(said.body["chunks"])
            assert said.body["after"] == 0
            data = zlib.decompress(base64.b64decode(said.body["chunks"][0]["data"]))
            assert len(as_list(decode(data))) == len(said.body["chunks"][0]["rows"])

            # One frame at a time: what comes meanwhile is in the next.
            let(gate, 4)
            driver.answer(said, RowsTaken(have=have))
            while len(seen) < 4:
                said = await driver.expect(frames.ROWS)
                assert said.body["after"] == have
                seen, have = seen + rows_in(said.body), have + len(said.body["chunks"])
                driver.answer(said, RowsTaken(have=have))
            assert seen == [0, 1, 2, 3]

            # After a break the lab is asked what it has; one that was started again has nothing.
            driver.hang_up()
            driver = await lab.greet(epoch=8)
            asked = await driver.expect(frames.ROWS)
            assert (asked.body["epoch"], asked.body["after"], asked.body["measured"]) == (8, have, 4)
            driver.answer(asked, RowsTaken(have=0))
            again = await driver.expect(frames.ROWS)
            assert rows_in(again.body) == seen

            # A lab that wants none is told no more; the result comes all the same.
            driver.answer(again, RowsTaken(have=0, wanted=False))
            let(gate, 6)
            assert len((await lab.upload()).header["circuits"]) == 6
            assert driver.silent(frames.ROWS)

            # One that refuses them, neither; the next job is another matter.
            let(gate, 1)
            await driver.assign(rabi("j2"))
            refused = await driver.expect(frames.ROWS)
            driver.refuse(refused, Rejected("No.", code="bad_rows").to_dict())
            let(gate, 6)
            assert (await lab.upload()).job_id == "j2"
            assert driver.silent(frames.ROWS)
            assert "j2, attempt 1: the lab does not show its rows: No." in running.log

    asyncio.run(story())

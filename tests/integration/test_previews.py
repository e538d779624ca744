"""Previews through a real lab and a real driver: native circuit, pulses, cost and booking, and no job anywhere."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from qpi_executors import load
from qpi_executors.instruments.executor import EXAMPLE
from qpi_jupyter.core import NotFound, ProgramError, QpiError, Rejected
from qpi_jupyter.wire.bookings import BookingIn
from qpi_jupyter.wire.frames import PREVIEW, Previewed
from qpi_jupyter.wire.previews import PreviewIn
from qpi_jupyter.wire.rest import DriverIn, OptionsIn, ProgramIn, QpuIn
from tests.faults.agent_process import AgentProcess, ended_with
from tests.faults.lab import ADMIN, ANN, BOB, open_lab, small_lab
from tests.support.waiting import until
from tests.support.web import serving

BELL = """OPENQASM 3.0;
include "stdgates.inc";
qubit[2] q;
bit[2] c;
h q[0];
delay[9us] q[0];
cx q[0], q[1];
c = measure q;
"""


def wanted(source: str = BELL, shots: int = 100) -> PreviewIn:
    return PreviewIn(program=ProgramIn(format="openqasm3", sources=[source]), options=OptionsIn(shots=shots))


@pytest.mark.slow
def test_a_preview_has_pulses_cost_and_booking_and_leaves_no_job(tmp_path: Path) -> None:
    async def story() -> None:
        async with open_lab(tmp_path / "lab", default_allowance_s=10.0) as lab, serving(lab) as url:
            await lab.qpus.create(ADMIN, QpuIn(name="q1"))
            registered = await lab.registration.register(ADMIN, DriverIn(name="d", qpu="q1"), address=url)
            running = AgentProcess(
                tmp_path, url, executor="qblox",
                env={"QPI_ACCESS_TOKEN": registered.token},
            )  # fmt: skip
            with ended_with(running):
                await until(lambda: lab.links.online("q1"))
                now = lab.context.now()
                await lab.bookings.create(ANN, BookingIn(qpu="q1", start_at=now, end_at=now + timedelta(hours=1)))
                shown = await lab.previews.preview(ANN, "q1", wanted())
                (circuit,) = shown.circuits
                assert "cz $0, $1;" in circuit.native
                assert {(row.port, row.kind) for row in circuit.rows} >= {("q0:mw", "drive"), ("q1:res", "readout")}
                assert circuit.duration_s == pytest.approx(9e-6 + 1e-6 + 0.1e-6, rel=0.02)
                assert [warning for warning in circuit.warnings if "q0 has to keep its state" in warning]
                assert shown.estimate_s == shown.charge.seconds > 0
                assert (shown.charge.account, shown.charge.available_s) == ("ann", 10.0)
                assert shown.charge.covered
                assert shown.booking is not None
                assert (shown.booking.mine, shown.booking.fits) == (True, "yes")

                others = await lab.previews.preview(BOB, "q1", wanted(shots=1_000_000))
                assert others.booking is not None
                assert (others.booking.mine, others.booking.fits) == (False, "no")
                assert not others.charge.covered

                with pytest.raises(ProgramError, match="line 1, column 23"):
                    await lab.previews.preview(ANN, "q1", wanted("OPENQASM 3.0; this is none"))
                assert (await lab.jobs.list(ADMIN)).jobs == []

    asyncio.run(story())


def test_what_a_driver_says_instead_of_a_preview_is_told(tmp_path: Path) -> None:
    async def story() -> None:
        async with small_lab(tmp_path) as (lab, driver):
            with pytest.raises(NotFound):
                await lab.previews.preview(ANN, "q9", wanted())
            await driver.connect()
            with pytest.raises(Rejected, match="too old for previews") as old:
                await lab.previews.preview(ANN, "q1", wanted())
            assert old.value.code == "no_preview"

            answers = [
                Previewed(error=Rejected("mock has no preview.", code="no_preview").to_dict()),
                Previewed(error={"kind": "Faulted", "code": "x", "message": "It broke."}),
                Previewed(),
            ]

            async def preview(_data: msgspec.Raw) -> Previewed:
                return answers.pop(0)

            driver.handlers[PREVIEW] = preview
            for kind, said in (("Rejected", "has no preview"), ("Unavailable", "broke"), ("Unavailable", "neither")):
                with pytest.raises(QpiError, match=said) as refused:
                    await lab.previews.preview(ANN, "q1", wanted())
                assert type(refused.value).__name__ == kind

    asyncio.run(story())


def test_a_real_clusters_preview_reaches_no_instrument(tmp_path: Path) -> None:
    """Its address is one where nothing answers, and `open` would wait for it."""
    device, cluster = EXAMPLE
    hardware = json.loads(cluster.read_text())
    for instrument in hardware["hardware_description"].values():
        if instrument["instrument_type"] == "Cluster":
            instrument["ip"] = "192.0.2.1"
    path = tmp_path / "cluster.json"
    path.write_text(json.dumps(hardware))
    executor = load("quantify", device=str(device), hardware=str(path))
    assert not executor.manifest.simulator
    (circuit,) = executor.preview(wanted().to_program()).circuits
    assert {pulse.label for pulse in circuit.pulses} == {"rz", "sx", "cz", "measure", "q0_m0", "q1_m0"}

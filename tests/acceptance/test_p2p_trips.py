"""Jobs over libp2p, with real processes that may die, beside jobs over the lab's own WebSocket."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from qpi_server.bus.p2p.process import PYTHON
from tests.faults.executors import read_diary
from tests.support.buses import P2P_PYTHON
from tests.support.realworld import PATIENCE_S, free_port
from tests.support.trips import Trip, going
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; rx(0.7) q[1]; c = measure q;'


@pytest.fixture
def trip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trip]:
    monkeypatch.setenv(PYTHON, str(P2P_PYTHON))
    bus = f"p2p:///ip4/127.0.0.1/tcp/{free_port()}"
    with going(tmp_path, bus, **{PYTHON: str(P2P_PYTHON)}) as there:
        said = re.search(r"drivers reach the lab at (p2p://\S+)", there.server.log.read_text())
        assert said is not None
        there.drivers_bus = said[1]
        yield there


def peers_of(pid: int) -> list[psutil.Process]:
    """The libp2p peers that a process has started."""
    return [child for child in psutil.Process(pid).children() if child.cmdline()[1].endswith("bus/p2p/program.py")]


def measured(trip: Trip, qpu: str) -> dict[str, Any]:
    body = {
        "program": {"format": "openqasm3", "sources": [BELL]}, "qpu": qpu, "name": qpu,
        "options": {"shots": 2000, "seed_simulator": 11},
    }  # fmt: skip
    job = trip.customer.finished(trip.customer.call("POST", "v1/jobs", json=body).json()["id"])
    assert job["status"] == "completed", job
    return {key: job[key] for key in ("counts", "attempt", "shots") if key in job}


def test_a_job_over_p2p_is_that_over_a_websocket(trip: Trip) -> None:
    for qpu in ("near", "far"):
        trip.register(qpu)
    trip.drive("far", executor="qiskit_aer")
    p2p, trip.drivers_bus = trip.drivers_bus, ""
    trip.drive("near", executor="qiskit_aer")
    trip.drivers_bus = p2p
    near = measured(trip, "near")
    told = trip.customer.call("GET", "coordinator/api/v1/bootstrap/libp2p").json()
    assert told == {"enabled": True, "state": "running", "addresses": [p2p]}
    assert measured(trip, "far") == near
    assert set(near["counts"][0]) == {"00", "01", "10", "11"}


def test_jobs_run_once_whoever_is_killed(trip: Trip) -> None:
    trip.register("sim")
    agent = trip.drive("sim", "seconds=1")
    ran = []

    def survives(name: str) -> None:
        job = trip.customer.finished(job_id)
        assert (job["status"], job["attempt"], job["counts"]) == ("completed", 1, [{"11": 10}]), (name, job)
        ran.append((job_id, 1))

    job_id = trip.customer.submit("the driver's peer", "sim")
    trip.until(job_id, "running")
    (peer,) = peers_of(agent.process.pid)
    peer.kill()
    survives("the driver's peer")

    job_id = trip.customer.submit("the lab's peer", "sim")
    trip.until(job_id, "running")
    (peer,) = peers_of(trip.server.process.pid)
    peer.kill()
    survives("the lab's peer")
    wait_until(lambda: trip.customer.drivers() == 1, PATIENCE_S, "the driver's return")
    assert trip.customer.call("GET", "health").json()["services"]["bus"] == "up"

    job_id = trip.customer.submit("the lab", "sim")
    trip.until(job_id, "running")
    trip.server.kill()
    trip.serve()
    survives("the lab")
    assert [(line["job_id"], line["attempt"]) for line in read_diary(agent.diary)] == ran
    for child in [*agent.children(), agent.process]:
        child.kill()
    wait_until(lambda: trip.customer.drivers() == 0, PATIENCE_S, "the end of its link")

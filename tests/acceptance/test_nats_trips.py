"""Jobs over NATS brokers, with real processes: a broker that dies, a server that dies, drivers of two sites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import qpi_jupyter
from tests.faults.executors import read_diary
from tests.support.broker import Broker
from tests.support.realworld import PATIENCE_S
from tests.support.servers import TOKEN
from tests.support.trips import going
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow
BELL = (
    'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c[0] = measure q[0]; '
    "c[1] = measure q[1];"
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    there = Broker(tmp_path / "broker").start()
    yield there
    there.kill()


@pytest.fixture
def other_broker(tmp_path: Path) -> Iterator[Broker]:
    there = Broker(tmp_path / "other").start()
    yield there
    there.kill()


def test_jobs_run_once_though_the_broker_is_killed_and_then_the_server(tmp_path: Path, broker: Broker) -> None:
    with going(tmp_path / "trip", broker.lab_url, lease_s=15.0) as trip:
        trip.register("sim")
        agent = trip.drive("sim", "seconds=0.2", bus=broker.url)
        jobs = [trip.customer.submit(f"job {n}", "sim") for n in range(6)]
        for cut in jobs[0], jobs[2]:
            trip.until(cut, "running")
            broker.kill()
            assert trip.customer.call("GET", "health").json()["services"]["bus"] == "down"
            broker.start()
            ended = trip.customer.finished(cut)
            assert (ended["status"], ended["attempt"]) == ("completed", 1), ended
        trip.until(jobs[4], "running")
        trip.server.kill()
        trip.serve()
        ends = [trip.customer.finished(job) for job in jobs]
        assert [(end["status"], end["counts"]) for end in ends] == [("completed", [{"11": 10}])] * 6
        # An assignment that was lost on its way counts as an attempt that never began.
        assert [line["job_id"] for line in read_diary(agent.diary)] == jobs
        assert trip.customer.call("GET", "health").json()["services"]["bus"] == "up"
        agent.process.kill()
        wait_until(lambda: trip.customer.drivers() == 0, PATIENCE_S, "the broker's word that the driver has gone")


def test_drivers_of_two_sites_and_of_the_websocket_measure_the_same_with_one_seed(
    tmp_path: Path, broker: Broker, other_broker: Broker
) -> None:
    with going(tmp_path / "trip", broker.lab_url, other_broker.lab_url) as trip:
        sites = {"near": broker.url, "far": other_broker.url, "socket": ""}
        for qpu, bus in sites.items():
            trip.register(qpu)
            trip.drive(qpu, executor="mock", bus=bus)
        wait_until(lambda: trip.customer.drivers() == 3, PATIENCE_S, "the drivers of all sites")

        def counts(qpu: str) -> dict[str, Any]:
            body = {
                "program": {"format": "openqasm3", "sources": [BELL]}, "qpu": qpu,
                "options": {"shots": 1000, "seed_simulator": 7},
            }  # fmt: skip
            job = trip.customer.finished(trip.customer.call("POST", "v1/jobs", json=body).json()["id"])
            assert job["status"] == "completed", job
            found: dict[str, Any] = job["counts"][0]
            return found

        assert counts("near") == counts("far") == counts("socket") != {}


GHZ = 'OPENQASM 3.0; include "stdgates.inc"; qubit[3] q; h q[0]; cx q[0], q[1]; cx q[1], q[2];'


def planned_and_run(folder: Path, **sites: Broker) -> tuple[str, int, list[str], list[float]]:
    """A circuit of three qubits over QPUs of two, each at its site, or reached over the lab's own WebSocket: the plan's
    id, its cuts and QPUs, and what was measured."""
    with going(folder, *(site.lab_url for site in sites.values())) as trip:
        for qpu in ("q1", "q2"):
            trip.register(qpu)
            bus = sites[qpu].url if qpu in sites else ""
            trip.drive(qpu, "num_qubits=2", executor="qiskit_aer", bus=bus)
        wait_until(lambda: trip.customer.drivers() == 2, PATIENCE_S, "the drivers")
        with qpi_jupyter.connect(trip.server.url, token=TOKEN) as lab:
            plan = lab.plan(GHZ, observables=["ZZI", "IZZ", "XXX"], shots=500, seed=5)
            job = lab.submit(plan)
            values = [float(value) for value in job.dataset().expectation_value.values]
            where = [fragment.qpu for fragment in job.plan().fragments]
        return plan.plan_id, plan.model.num_cuts, where, values


def test_a_plan_over_the_websocket_and_over_brokers_of_two_sites_is_the_same_and_so_is_its_result(
    tmp_path: Path, broker: Broker, other_broker: Broker
) -> None:
    over_websockets = planned_and_run(tmp_path / "sockets")
    assert planned_and_run(tmp_path / "brokers", q1=broker, q2=other_broker) == over_websockets
    _, cuts, where, values = over_websockets
    assert (cuts, set(where)) == (1, {"q1", "q2"})
    assert all(abs(value - 1.0) < 0.5 for value in values)

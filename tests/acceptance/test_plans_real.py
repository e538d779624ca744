"""Plans over two drivers that are processes: drivers and the server are killed where it hurts most."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.wire.faultpoint import PLAN_POINTS
from tests.faults.executors import read_diary
from tests.support.books import Books
from tests.support.realworld import PATIENCE_S
from tests.support.trips import LEASE_S, Trip, going
from tests.support.waiting import wait_until

PAIRS = """OPENQASM 3.0;
include "stdgates.inc";
qubit[4] q;
bit[4] c;
h q[0]; cx q[0], q[1];
h q[2]; cx q[2], q[3];
c = measure q;
"""
"""Two Bell pairs: two fragments on QPUs of two qubits."""


@pytest.fixture
def trip(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Trip]:
    trap = getattr(request, "param", "")
    # Where the server dies, its drivers have time to come back, however busy the machine is.
    with going(tmp_path, trap=trap, lease_s=30.0 if trap else LEASE_S) as there:
        for qpu in ("q1", "q2"):
            there.register(qpu)
        yield there


def planned(trip: Trip) -> dict[str, Any]:
    """The plan of the two pairs, once both drivers are there."""
    wait_until(lambda: trip.customer.drivers() == 2, what="the drivers' start")
    body = {"program": {"format": "openqasm3", "sources": [PAIRS]}, "shots": 10, "qpus": ["q1", "q2"]}
    plan: dict[str, Any] = trip.customer.call("POST", "v1/plans", json=body).json()
    assert len(plan["fragments"]) == 2, plan
    return plan


def submitted(trip: Trip, plan: dict[str, Any]) -> str:
    where, key = f"v1/plans/{plan['plan_id']}/jobs", {"Idempotency-Key": "the plan"}
    job_id: str = trip.customer.call("POST", where, json={}, headers=key).json()["id"]
    return job_id


def run_of(trip: Trip, job_id: str) -> dict[str, Any]:
    run: dict[str, Any] = trip.customer.call("GET", f"v1/jobs/{job_id}/plan").json()
    return run


def check(trip: Trip, job_id: str, diaries: list[Path]) -> dict[str, Any]:
    """The plan ended once with its result, no attempt ran twice, and the ledger adds up; the plan as it went."""
    job = trip.customer.finished(job_id)
    assert (job["status"], job["counts"]) == ("completed", [{"1111": 10}]), job["error"]
    run, books = run_of(trip, job_id), Books(trip.server.lab_dir)
    runs = Counter((line["job_id"], line["attempt"]) for diary in diaries for line in read_diary(diary))
    books.check_each_attempt_ran_once(runs)
    children = {fragment["job_id"] for fragment in run["fragments"]}
    assert {child for child, _ in runs} == children
    assert run["cost_s"] == pytest.approx(-sum(row["amount_s"] for row in books.ledger))
    assert [fragment["reservations"][-1]["state"] for fragment in run["fragments"]] == ["executed"] * 2
    return run


@pytest.mark.slow
def test_a_driver_killed_while_it_runs_a_fragment(trip: Trip, tmp_path: Path) -> None:
    lost, other = trip.drive("q1", "seconds=600"), trip.drive("q2", "seconds=0.2")
    plan = planned(trip)
    job_id = submitted(trip, plan)
    on_lost = [one for one in run_of(trip, job_id)["fragments"] if one["qpu"] == "q1"]
    assert on_lost
    trip.until(on_lost[0]["job_id"], "running")
    lost.send(signal.SIGKILL)
    lost.process.wait(PATIENCE_S)
    run = check(trip, job_id, [lost.diary, other.diary])
    moved = [one for one in run["fragments"] if one["fallback"]]
    assert [one["job_id"] for one in moved] == [one["job_id"] for one in on_lost]
    assert [(one["qpu"], one["state"]) for one in moved[0]["reservations"]] == [("q1", "expired"), ("q2", "executed")]
    events = trip.customer.call("GET", f"v1/jobs/{job_id}/events", params={"family": "true"}).json()["events"]
    assert [event["seq"] for event in events] == sorted(event["seq"] for event in events)
    told = [event["data"]["state"] for event in events if event["kind"] == "reservation.changed"
            and event["data"]["child_id"] == moved[0]["job_id"]]  # fmt: skip
    begun = ["requested", "prepared", "committed"]
    assert told == [*begun, "expired", *begun, "executed"]


@pytest.mark.slow
@pytest.mark.parametrize("trip", PLAN_POINTS, indirect=True)
def test_the_server_killed_at_each_point_of_a_plan(trip: Trip) -> None:
    drivers = [trip.drive("q1", "seconds=0.05"), trip.drive("q2", "seconds=0.05")]
    job_id = submitted(trip, planned(trip))
    assert trip.server.process.wait(PATIENCE_S) == -signal.SIGKILL
    trip.serve()
    check(trip, job_id, [driver.diary for driver in drivers])

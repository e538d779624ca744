"""One job's trip over a bus that the product knows nothing of, with real processes that may die."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.executors import read_diary
from tests.support.packages import TOY_BUS, installed
from tests.support.realworld import PATIENCE_S
from tests.support.trips import Trip, going
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def trip(tmp_path: Path) -> Iterator[Trip]:
    place = Path(tempfile.mkdtemp(prefix="bus", dir="/tmp"))
    try:
        with installed(TOY_BUS), going(tmp_path, f"toymail://{place}") as there:
            yield there
    finally:
        shutil.rmtree(place)


def test_jobs_run_once_whoever_is_killed(trip: Trip) -> None:
    trip.register("sim")
    agent = trip.drive("sim", "seconds=1")

    def completed(name: str) -> tuple[str, int]:
        job = trip.customer.finished(trip.customer.submit(name, "sim"))
        assert (job["status"], job["counts"]) == ("completed", [{"11": 10}]), job
        return job["id"], job["attempt"]

    ran = [completed("in peace")]
    cut = trip.customer.submit("server killed", "sim")
    trip.until(cut, "running")
    trip.server.kill()
    trip.serve()
    job = trip.customer.finished(cut)
    assert (job["status"], job["attempt"]) == ("completed", 1), job
    ran += [(cut, 1), completed("after the server")]
    assert [(line["job_id"], line["attempt"]) for line in read_diary(agent.diary)] == ran

    lost = trip.customer.submit("driver killed", "sim")
    trip.until(lost, "running")
    for child in [*agent.children(), agent.process]:
        child.kill()
    wait_until(lambda: trip.customer.drivers() == 0, PATIENCE_S, "the end of the lease")
    again = trip.drive("sim")
    job = trip.customer.finished(lost)
    assert (job["status"], job["attempt"]) == ("completed", 2), job
    assert "linked to" in again.log


def test_a_job_is_checked_cancelled_and_refused_and_a_driver_that_goes_says_so(trip: Trip) -> None:
    trip.register("sim")
    agent = trip.drive("sim", "seconds=600")
    job_id = trip.customer.submit("cancelled", "sim")
    assert trip.until(job_id, "running")["checked"]
    trip.customer.cancel(job_id)
    assert trip.customer.finished(job_id)["status"] == "cancelled"
    health = trip.customer.call("GET", "health").json()
    assert (health["services"]["bus"], len(health["drivers"])) == ("up", 1)
    agent.send(signal.SIGTERM)
    assert agent.process.wait(PATIENCE_S) == 0
    wait_until(lambda: trip.customer.drivers() == 0, PATIENCE_S, "the driver's bye")

"""What can go wrong on one job's trip, each with real processes: the job ends once, and its measurement is kept."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import qpi_jupyter
from tests.faults.agent_process import AgentProcess
from tests.faults.executors import read_diary
from tests.support.proxy import Proxy
from tests.support.realworld import PATIENCE_S
from tests.support.servers import TOKEN
from tests.support.trips import Trip, going
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def trip(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Trip]:
    """One whose server may die."""
    with going(tmp_path, trap=getattr(request, "param", "")) as there:
        yield there


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trip]:
    with going(tmp_path_factory.mktemp("lab")) as there:
        yield there


@pytest.fixture
def calm(lab: Trip) -> Iterator[Trip]:
    """One whose server goes on from test to test, each with a QPU of its own."""
    yield lab
    lab.end_drivers()


def runs(agent: AgentProcess) -> list[tuple[str, int]]:
    return [(line["job_id"], line["attempt"]) for line in read_diary(agent.diary)]


def assert_completed_at_once(trip: Trip, agent: AgentProcess, job_id: str) -> None:
    """Completed by its first attempt, which ran once, and the driver has nothing left to deliver."""
    job = trip.customer.finished(job_id)
    assert (job["status"], job["attempt"], job["counts"]) == ("completed", 1, [{"11": 10}]), job
    assert runs(agent) == [(job_id, 1)]
    wait_until(lambda: not agent.spooled(), PATIENCE_S, "the emptying of the spool")
    assert agent.archived() == []


def test_an_instrument_that_was_unplugged_during_a_run_delivers_when_it_is_back(calm: Trip) -> None:
    calm.register("unplugged", "device")
    with Proxy(calm.port) as wire:
        agent = calm.drive("unplugged", "simulator=false", "seconds=5", url=wire.url)
        job_id = calm.customer.submit("cut off", "unplugged")
        calm.until(job_id, "running")
        wire.cut()
        assert calm.until(job_id, "lost")["status"] == "running"
        wire.mend()
        assert_completed_at_once(calm, agent, job_id)


def test_a_server_that_is_killed_between_claim_and_result_gets_the_result_after_its_restart(trip: Trip) -> None:
    trip.register("sim")
    agent = trip.drive("sim", "seconds=2")
    job_id = trip.customer.submit("orphaned", "sim")
    trip.until(job_id, "running")
    trip.server.kill()
    trip.serve()
    assert_completed_at_once(trip, agent, job_id)


def test_a_driver_that_is_killed_before_the_upload_delivers_after_its_restart(calm: Trip) -> None:
    calm.register("killed", "device")
    agent = calm.drive("killed", "simulator=false", trap="spool_written")
    job_id = calm.customer.submit("spooled", "killed")
    assert agent.process.wait(PATIENCE_S) == -signal.SIGKILL
    assert agent.spooled() == [f"{job_id}.1.result"]
    assert_completed_at_once(calm, calm.drive("killed", "simulator=false"), job_id)


@pytest.mark.parametrize("trip", ["result_after_commit"], indirect=True)
def test_an_upload_whose_answer_was_lost_is_repeated_and_counts_once(trip: Trip) -> None:
    trip.register("sim")
    agent = trip.drive("sim")
    job_id = trip.customer.submit("repeated", "sim")
    assert trip.server.process.wait(PATIENCE_S) == -signal.SIGKILL
    assert agent.spooled() == [f"{job_id}.1.result"]
    trip.serve()
    assert_completed_at_once(trip, agent, job_id)


def test_a_result_that_was_measured_beats_a_cancel(calm: Trip) -> None:
    calm.register("measured")
    with Proxy(calm.port) as wire:
        agent = calm.drive("measured", "seconds=1", url=wire.url)
        job_id = calm.customer.submit("cancelled too late", "measured")
        calm.until(job_id, "running")
        wire.hold()  # the link goes on; the upload needs a connection of its own
        wait_until(agent.spooled, PATIENCE_S, "the end of the run")
        calm.customer.cancel(job_id)
        assert calm.customer.job(job_id)["phase"] == "cancelling"
        wire.release()
        assert_completed_at_once(calm, agent, job_id)


def test_a_cancel_that_comes_before_the_result_stops_the_run(calm: Trip) -> None:
    calm.register("stopped")
    agent = calm.drive("stopped", "seconds=600")
    job_id = calm.customer.submit("cancelled in time", "stopped")
    calm.until(job_id, "running")
    calm.customer.cancel(job_id)
    job = calm.customer.finished(job_id)
    assert job["status"] == "cancelled"
    assert 0 < job["busy_s"] < 60
    assert runs(agent) == [(job_id, 1)]


def test_a_second_driver_on_a_device_waits_until_the_first_has_gone(calm: Trip) -> None:
    def completed(name: str) -> tuple[str, int]:
        job = calm.customer.finished(calm.customer.submit(name, "shared"))
        assert job["status"] == "completed", job
        return job["id"], 1

    calm.register("shared", "device", driver="one")
    calm.register("shared", "device", driver="two")
    first = calm.drive("one", "simulator=false")
    before = completed("before")
    second = calm.drive("two", "simulator=false")
    wait_until(lambda: "another driver of it is alive" in second.log, PATIENCE_S, "the refusal")
    meanwhile = completed("meanwhile")
    first.send(signal.SIGTERM)
    assert first.process.wait(PATIENCE_S) == 0
    after = completed("after")
    assert (runs(first), runs(second)) == ([before, meanwhile], [after])


@contextlib.contextmanager
def full_disk(pid: int) -> Iterator[None]:
    """No file of this process can grow, nor a new one get a byte."""
    process = psutil.Process(pid)
    soft, hard = process.rlimit(psutil.RLIMIT_FSIZE)
    process.rlimit(psutil.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        process.rlimit(psutil.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_refuses_submits_and_keeps_results_waiting(calm: Trip) -> None:
    calm.register("full")
    agent = calm.drive("full", "seconds=1")
    job_id = calm.customer.submit("waiting", "full")
    calm.until(job_id, "running")
    me = calm.server.client()
    body = {"program": {"format": "openqasm3", "sources": ["refused"]}, "qpu": "full"}
    with full_disk(calm.server.process.pid):
        refused = me.post("qpi/v1/jobs", json=body)
        assert (refused.status_code, refused.headers["Retry-After"].isdigit()) == (503, True), refused.text
        assert "othing was stored" in refused.json()["error"]["message"]
        wait_until(lambda: "not delivered yet" in agent.log, PATIENCE_S, "the refusal of the result")
        assert agent.spooled() == [f"{job_id}.1.result"]
        assert me.get(f"qpi/v1/jobs/{job_id}").json()["status"] == "running"  # reading goes on
    assert_completed_at_once(calm, agent, job_id)
    assert [job["id"] for job in me.get("qpi/v1/jobs?qpu=full").json()["jobs"]] == [job_id]
    me.close()
    assert calm.customer.finished(calm.customer.submit("accepted", "full"))["status"] == "completed"


def test_a_job_without_a_driver_says_so_and_finishes_by_itself_when_one_starts(calm: Trip) -> None:
    calm.register("sim-a")
    with qpi_jupyter.connect(calm.server.url, TOKEN) as lab:
        job = lab.submit("OPENQASM 3.0; qubit q; bit c; c = measure q;", qpu="sim-a", shots=10)
        assert "sim-a is offline" in job.why()
        calm.drive("sim-a")
        assert job.counts(timeout=PATIENCE_S) == {"11": 10}
        assert job.status == "completed"

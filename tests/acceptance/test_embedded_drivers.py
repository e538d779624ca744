"""Embedded drivers live and end with the server that started them, whatever happens to either."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.children import children_below
from tests.support.servers import LabServer, lab_server
from tests.support.waiting import PATIENCE_S, lives, survivors, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    """A server for the tests that leave it as it was."""
    with lab_server(tmp_path_factory.mktemp("steady"), "--demo") as server:
        wait_online(server)
        yield server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabServer]:
    with lab_server(tmp_path, "--demo") as server:
        wait_online(server)
        yield server


def wait_online(server: LabServer) -> None:
    me = server.client()

    def all_online() -> bool:
        return all(qpu["status"] == "online" for qpu in me.get("qpi/v1/qpus").json()["qpus"])

    wait_until(all_online, PATIENCE_S, "the start of the simulators")


def drivers(server: LabServer) -> dict[str, psutil.Process]:
    """The drivers' processes by name."""
    found = {}
    for process in psutil.Process(server.process.pid).children():
        try:
            words = process.cmdline()
        except psutil.NoSuchProcess:
            continue  # it ended a moment ago
        if "qpi_agent" in words:
            found[words[words.index("--name") + 1]] = process
    return found


def family(server: LabServer) -> list[psutil.Process]:
    """The drivers, the one process that their children are forked from, and these."""
    return psutil.Process(server.process.pid).children(recursive=True)


def children_of(server: LabServer, driver: str) -> list[psutil.Process]:
    """The children that say what they say in the log of that driver."""
    log = server.lab_dir / "agents" / f"{driver}.log"
    return [one for one in children_below(server.process.pid) if Path(f"/proc/{one.pid}/fd/2").samefile(log)]


def test_a_killed_server_leaves_no_process(server: LabServer) -> None:
    everybody = family(server)
    assert len(everybody) > 3
    server.kill()
    assert not survivors(everybody, 20)


@pytest.mark.slow
def test_a_stopped_server_leaves_no_process_and_no_owner_file(server: LabServer) -> None:
    everybody = family(server)
    server.process.terminate()
    server.process.wait(30)
    assert not survivors(everybody, 5)
    assert not (server.lab_dir / "owner.json").exists()


def test_the_simulators_start_one_after_the_other(steady: LabServer) -> None:
    first, second = (drivers(steady)[name] for name in ("sim-a", "sim-b"))
    assert second.create_time() > min(child.create_time() for child in children_of(steady, "sim-a"))
    assert first.create_time() < second.create_time()


def test_a_driver_that_dies_starts_again(steady: LabServer) -> None:
    before = drivers(steady)["sim-b"]
    children = children_of(steady, "sim-b")
    assert len(children) >= 2
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: drivers(steady).get("sim-b", before).pid != before.pid, PATIENCE_S, "the driver's second start")
    wait_online(steady)
    assert not survivors(children, 10)


def test_the_end_of_the_fork_server_ends_no_driver_and_no_job(steady: LabServer) -> None:
    def forked_by() -> set[str]:
        parents = [psutil.Process(child.pid).parent() for child in children_below(steady.process.pid)]
        return {parent.name() for parent in parents if parent is not None}

    assert forked_by() == {"qpi-fork"}
    before = {name: process.pid for name, process in drivers(steady).items()}
    (server,) = (one for one in psutil.Process(steady.process.pid).children() if one.name() == "qpi-fork")
    server.kill()
    wait_until(lambda: not lives(server), PATIENCE_S, "the end of the fork server")
    me = steady.client()
    for name in before:
        program = {"format": "openqasm3", "sources": ["OPENQASM 3.0;\nqubit q;\nbit c;\nc = measure q;\n"]}
        job = me.post("qpi/v1/jobs", json={"program": program, "qpu": name}).json()
        while job["ended_at"] is None:
            job = me.get(f"qpi/v1/jobs/{job['id']}", params={"wait_s": 10}).json()
        assert (job["status"], job["attempt"]) == ("completed", 1), job
    assert {name: process.pid for name, process in drivers(steady).items()} == before


def test_a_driver_is_out_of_reach_of_the_terminal(steady: LabServer) -> None:
    for process in drivers(steady).values():
        assert os.getsid(process.pid) != os.getsid(steady.process.pid)


def test_a_driver_sees_nothing_of_the_servers_settings_and_its_children_no_token(steady: LabServer) -> None:
    def settings(process: psutil.Process) -> set[str]:
        return {name for name in process.environ() if name.startswith(("QPI_", "JUPYTER_TOKEN"))}

    for process in drivers(steady).values():
        assert settings(process) == {"QPI_ACCESS_TOKEN"}
    for child in children_below(steady.process.pid):
        assert settings(child) == set()


@pytest.mark.parametrize(
    ("body", "option", "said"),
    [
        ({"options": {"qubitz": 3}}, "qubitz", "it knows: coupling, coupling_map"),
        ({"options": {"num_qubits": "many"}}, "num_qubits", "'num_qubits' must be a whole number from 1 to 18, not"),
        ({"options": {"num_qubits": "5"}}, "num_qubits", "'num_qubits' must be of type integer, not the text '5'"),
        ({"options": {"num_qubits": 99}}, "num_qubits", "1 to 18, not 99"),
        ({"options": {"coupling": "a\0b"}}, "", "null character"),
        ({"options": {"coupling": "x" * 200_000}}, "", "too long"),
        ({"options": {"fake_backend": "Nowhere"}, "executor": "qiskit_aer"}, "fake_backend", "Nowhere"),
    ],
)
def test_options_that_an_executor_does_not_take_are_refused_at_once(
    steady: LabServer, body: dict[str, Any], option: str, said: str
) -> None:
    me = steady.client()
    answer = me.post("qpi/v1/simulators", json={"name": "sim-c", **body})
    assert answer.status_code == 422, answer.text
    error = answer.json()["error"]
    assert (error["data"]["field"], error["data"]["option"]) == ("options", option)
    assert said in error["message"]
    assert "sim-c" not in [one["name"] for one in me.get("qpi/v1/simulators").json()["simulators"]]


def test_the_lab_answers_while_an_executor_is_asked(steady: LabServer) -> None:
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(steady.client().post, "qpi/v1/simulators", json={"name": "c", "options": {"qubitz": 1}})
        me, start, slowest, answered = steady.client(), time.monotonic(), 0.0, 0
        while not asked.done():
            begun = time.monotonic()
            assert me.get("qpi/health").status_code == 200
            slowest, answered = max(slowest, time.monotonic() - begun), answered + 1
        assert asked.result().status_code == 422
    assert answered > 5
    assert slowest < (time.monotonic() - start) / 3, "the executor was loaded in the server"

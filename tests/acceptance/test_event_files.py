"""`jupyter qpi events`: a file of events that has each once, whoever is killed."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qpi_jupyter.client.event_file import EventFile
from qpi_jupyter.core import Conflict, Rejected
from tests.support.realworld import PATIENCE_S, Customer, free_port, reading
from tests.support.servers import TOKEN, LabServer, lab_server, python_env, spawn_server
from tests.support.waiting import wait_until

NO_DRIVERS = ("--demo", "--QPIServer.embedded_drivers=False", "--ServerApp.port_retries=0")


def events(url: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "qpi_server.tools.standalone", "events", "--url", url, *arguments]


def environment(folder: Path, **extra: str) -> dict[str, str]:
    return python_env(HOME=str(folder), JUPYTER_NO_CONFIG="1", **extra)


def address(server: LabServer) -> str:
    return f"{server.url}?token={TOKEN}"


def lines(file: Path) -> list[dict[str, Any]]:
    """The events of a file; what is cut off at its end is none."""
    whole, _, _ = file.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.split("\n") if line]


def wait_for_more(file: Path, had: int) -> None:
    wait_until(lambda: file.exists() and len(lines(file)) > had, PATIENCE_S, "further events in the file")


def cursor_of(file: Path) -> int | None:
    with contextlib.closing(EventFile(file)) as found:
        return found.cursor


def stored(server: LabServer) -> list[int]:
    with reading(server.lab_dir) as db:
        return [row["seq"] for row in db.execute("SELECT seq FROM events ORDER BY seq")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LabServer]:
    with lab_server(tmp_path / "server", *NO_DRIVERS, port=free_port()) as there:
        yield there


def make_some(server: LabServer, first: int, count: int) -> list[str]:
    customer = Customer(server.url)
    ids = [customer.submit(f"event-{number}", "sim-b") for number in range(first, first + count)]
    customer.close()
    return ids


@pytest.mark.slow
def test_a_follower_and_its_server_are_killed_and_the_file_has_each_event_once(tmp_path: Path) -> None:
    out, port = tmp_path / "lab.jsonl", free_port()
    server = spawn_server(tmp_path / "server", *NO_DRIVERS, port=port)
    customer = Customer(server.url)
    customer.call("GET", "health")
    follow = events(address(server), "--follow", "--out", str(out))
    had, follower = 0, None
    try:
        for turn in range(5):
            follower = subprocess.Popen(follow, env=environment(tmp_path), cwd=tmp_path)
            if turn == 3:  # which the follower outlives
                wait_for_more(out, had)
                server.kill()
                server = spawn_server(tmp_path / "server", *NO_DRIVERS, port=port)
                customer.call("GET", "health")
                assert follower.poll() is None
            make_some(server, 10 * turn, 5)
            wait_for_more(out, had)
            follower.kill()  # wherever it is just now
            assert follower.wait() == -signal.SIGKILL
            make_some(server, 10 * turn + 5, 5)
            had = len(lines(out))
            with out.open("a") as torn:
                torn.write('{"seq":')  # as a write that was cut off leaves it
        subprocess.run(events(address(server), "--out", str(out)), env=environment(tmp_path), check=True)
        assert [event["seq"] for event in lines(out)] == stored(server)
        assert {event["job_id"] for event in lines(out)} >= {job["id"] for job in _jobs(customer)}
    finally:
        customer.close()
        for process in (follower, server.process):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def _jobs(customer: Customer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = customer.call("GET", "v1/jobs", params={"limit": 100}).json()["jobs"]
    assert len(found) == 50
    return found


@pytest.mark.slow
def test_events_of_one_family_to_a_pipe_and_refusals_in_words(server: LabServer, tmp_path: Path) -> None:
    first, other = make_some(server, 0, 2)
    customer = Customer(server.url)
    body = {
        "program": {"format": "openqasm3", "sources": ["OPENQASM 3.0; qubit q;"]}, "qpu": "sim-b", "after": [first],
    }  # fmt: skip
    last = customer.call("POST", "v1/jobs", json=body, headers={"Idempotency-Key": "last"}).json()["id"]
    customer.close()

    def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = events(address(server), *arguments)
        return subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=PATIENCE_S)

    printed = ended("--job", last)
    assert {json.loads(line)["job_id"] for line in printed.stdout.splitlines()} == {first, last}, printed.stderr
    assert other not in printed.stdout
    foreign = tmp_path / "foreign.jsonl"
    foreign.write_text('{"seq":1000000}\n')
    refused = ended("--out", str(foreign))
    assert refused.returncode == 1
    assert "this is not the lab of that cursor" in refused.stderr
    assert foreign.read_text() == '{"seq":1000000}\n'


def test_a_file_goes_on_where_it_or_its_cursor_ends(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("")
    assert cursor_of(path) is None
    file = EventFile(path)
    file.write([b'{"seq":3}', b'{"seq":7}'], 9)
    with pytest.raises(Conflict, match="Another process"):
        EventFile(path)
    file.close()
    assert cursor_of(path) == 9  # what came after the last line was not wanted
    with path.open("ab") as torn:
        torn.write(b'{"seq":12}\n{"seq":13')  # killed before the cursor, and while it wrote
    file = EventFile(path)
    assert (file.cursor, path.read_bytes().count(b"\n")) == (12, 3)
    file.close()
    path.rename(tmp_path / "yesterday.jsonl")  # as a rotation of logs does
    assert cursor_of(path) == 9


def test_a_file_with_long_lines_and_files_of_others(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"seq":1}\n{"seq":2,"data":{"error":"%b"}}\n' % (b"x" * 200_000))
    assert cursor_of(path) == 2
    path.write_text("# notes\n")
    with pytest.raises(Rejected, match="choose another file"):
        EventFile(path)
    assert path.read_text() == "# notes\n"
    for theirs in ('{"title": "a thesis"}', "# notes\nand no newline at the end"):
        path.write_text(theirs)
        with pytest.raises(Rejected, match="choose another file"):
            EventFile(path)
        assert path.read_text() == theirs
    path.write_text('{"kind":"job.subm')  # killed while it wrote its first
    assert cursor_of(path) is None
    assert path.read_text() == ""
    path.unlink()
    (tmp_path / "events.jsonl.cursor").write_text("{}")
    with pytest.raises(Rejected, match="damaged"):
        EventFile(path)

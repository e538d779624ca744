"""A submit is acknowledged after it is on disk, and many that come at once share the wait for the disk."""

from __future__ import annotations

import json
import random
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.realworld import Customer, assert_whole, free_port
from tests.support.servers import TOKEN, LabServer, lab_server

pytestmark = pytest.mark.slow

PARALLEL, ROUNDS, KILLS = 64, 8, 3
SEED = 1
NO_DRIVERS = ("--demo", "--QPIServer.embedded_drivers=False", "--ServerApp.port_retries=0")
SYNCS = ("fsync", "fdatasync", "sync_file_range", "msync")


class Burst:
    """Clients that all ask at the same moment: their requests are sent before any answer is read."""

    def __init__(self, server: LabServer, stack: ExitStack) -> None:
        self._port = int(server.url.rstrip("/").rpartition(":")[2])
        address = ("127.0.0.1", self._port)
        self._sockets = [stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(PARALLEL)]

    def send(self, name: str) -> None:
        """A submit on each connection."""
        requests = [self._request(f"{name}-{number}") for number in range(PARALLEL)]
        for connection, request in zip(self._sockets, requests, strict=True):
            connection.sendall(request)

    def acknowledged(self) -> Iterator[str]:
        """The ids of the jobs that the server said it has, as the answers come; ends where it dies."""
        for connection in self._sockets:
            try:
                head, _, body = connection.recv(1 << 16).partition(b"\r\n\r\n")
            except ConnectionResetError:
                continue
            if head:
                assert head.startswith(b"HTTP/1.1 201 "), head
                yield json.loads(body)["id"]

    def _request(self, name: str) -> bytes:
        program = {"format": "openqasm3", "sources": [f"// {name}"]}
        body = json.dumps({"program": program, "qpu": "sim-b", "name": name}).encode()
        lines = (
            "POST /qpi/v1/jobs HTTP/1.1", f"Host: 127.0.0.1:{self._port}", f"Authorization: Bearer {TOKEN}",
            "Content-Type: application/json", f"Content-Length: {len(body)}", "", "",
        )  # fmt: skip
        return "\r\n".join(lines).encode() + body


@contextmanager
def syncs(pid: int, log: Path) -> Iterator[None]:
    """Every system call of the process, in all its threads, that waits for the disk: one line each in ``log``."""
    strace = shutil.which("strace")
    assert strace is not None, "strace is not installed: `make system` does that"
    command = [strace, "-f", "-p", str(pid), "-e", f"trace={','.join(SYNCS)}", "-o", str(log)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        assert "attached" in said, f"strace cannot trace the server: {said}"
        try:
            yield
        finally:
            tracer.terminate()


def count_syncs(log: Path) -> int:
    """How many there were; a call that another thread interrupts in the trace has two lines."""
    calls = [line.split(maxsplit=1)[1] for line in log.read_text().splitlines()]
    return sum(call.startswith(tuple(f"{name}(" for name in SYNCS)) for call in calls)


def test_64_parallel_submits_share_their_syncs(tmp_path: Path) -> None:
    with lab_server(tmp_path, *NO_DRIVERS) as server, ExitStack() as stack:
        burst = Burst(server, stack)
        burst.send("warm")
        assert len(list(burst.acknowledged())) == PARALLEL
        with syncs(server.process.pid, tmp_path / "syncs"):
            for number in range(ROUNDS):
                burst.send(f"round-{number}")
                assert len(set(burst.acknowledged())) == PARALLEL
    count = count_syncs(tmp_path / "syncs")
    assert count >= ROUNDS, "the trace does not show the commits"
    print(f"{ROUNDS * PARALLEL} submits in {count} syncs: {ROUNDS * PARALLEL / count:.1f} each")
    assert 5 * count <= ROUNDS * PARALLEL


def test_kill_9_right_after_an_acknowledgement_loses_none(tmp_path: Path) -> None:
    rng, port = random.Random(SEED), free_port()
    promised: list[str] = []
    for number in range(KILLS):
        with lab_server(tmp_path, *NO_DRIVERS, port=port) as server, ExitStack() as stack:
            burst = Burst(server, stack)
            burst.send(f"round-{number}")
            before = len(promised)
            last = before + rng.randint(1, PARALLEL // 2)
            for job_id in burst.acknowledged():
                promised.append(job_id)
                if len(promised) == last:
                    server.kill()
            assert len(promised) >= last
    with lab_server(tmp_path, *NO_DRIVERS, port=port) as server:
        customer = Customer(server.url)
        assert {customer.job(job_id)["status"] for job_id in promised} == {"pending"}
        customer.close()
    print(f"{len(promised)} promises in {KILLS} lives, all kept")
    assert_whole(server.lab_dir)

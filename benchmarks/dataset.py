"""One gibibyte to the lab and back, directly and through a forwarder, against a plain copy with SHA-256."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from benchmarks.demo import DemoLab
from qpi_jupyter.wire import results
from tests.support.blobs import zip_blocks

from .driver import Driver
from .harness import Figure, server, timed

SIZE = 1 << 30
CHUNK = 1 << 20
GROWTH_MIB = 64


def run(*, quick: bool) -> Iterator[Figure]:
    """Speeds as shares of the copy's, and the servers' memory growth."""
    size = SIZE // 8 if quick else SIZE
    with tempfile.TemporaryDirectory(prefix="qpi-data-") as name, server() as lab, forwarder(lab) as second:
        folder = Path(name)
        file = source(folder / "source", size)
        for where, url, pids in (
            ("direct", lab.url, [lab.pid]),
            ("through a forwarder", second.url, [lab.pid, second.pid]),
        ):
            copies = [_copy(file, folder / "copy")]
            before = [_peak_kib(pid) for pid in pids]
            job_id, up_s = upload(file, url, lab.token)
            down_s = timed(partial(download, url, lab.token, job_id, folder / "down"))
            copies.append(_copy(file, folder / "copy"))
            grown = max(_peak_kib(pid) - was for pid, was in zip(pids, before, strict=True)) / 1024
            bare_s = sum(copies) / len(copies)
            for way, took in (("up", up_s), ("down", down_s)):
                yield Figure(
                    name=f"{size / SIZE:g} GiB {way}, {where}, share of a plain copy's speed",
                    ratio=bare_s / took,
                    goal=0.5,
                    at_most=False,
                    ours=size / took / 2**20,
                    bare=size / bare_s / 2**20,
                    unit=" MiB/s",
                )
            yield Figure(name=f"server memory growth meanwhile, {where}, MiB", ratio=grown, goal=GROWTH_MIB)


def forwarder(lab: DemoLab) -> Forwarder:
    """A second server of the same person on the same data folder."""
    return Forwarder(lab)


class Forwarder:
    """A server that forwards to the lab's owner; ``url`` and ``pid`` once entered."""

    url: str
    pid: int

    def __init__(self, lab: DemoLab) -> None:
        self._lab = lab

    def __enter__(self) -> Forwarder:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        env = {**os.environ, "QPI_LAB_DIR": str(self._lab.folder / "lab"), "JUPYTER_TOKEN": self._lab.token}
        command = [sys.executable, "-m", "qpi_server.tools.standalone", "--port", str(port)]
        if os.geteuid() == 0:
            command.append("--allow-root")
        self._log = (self._lab.folder / "forwarder.log").open("wb")
        self._process = subprocess.Popen(command, env=env, stdout=self._log, stderr=self._log)
        self.url, self.pid = f"http://127.0.0.1:{port}/", self._process.pid
        headers = {"Authorization": f"token {self._lab.token}"}
        deadline = time.monotonic() + 30
        while True:
            try:
                if httpx.get(f"{self.url}qpi/v1/qpus", headers=headers).is_success:
                    return self
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError("the forwarder did not start")
            time.sleep(0.05)

    def __exit__(self, *exc: object) -> None:
        self._process.terminate()
        self._process.wait(20)
        self._log.close()


def source(path: Path, size: int) -> Path:
    """A result file whose blob has ``size`` random bytes."""
    data = path.with_suffix(".zip")
    with data.open("w+b") as file:
        zip_blocks(file, os.urandom(CHUNK), size // CHUNK)
        nbytes = file.tell()
        file.seek(0)
        blob = hashlib.file_digest(file, "sha256")
    circuit = {
        "name": "big", "circuit": 0, "row": None, "shots": 1, "meas_level": 1, "meas_return": "single",
        "creg_sizes": [["c", 1]], "qreg_sizes": [["q", 1]], "memory_slots": 1, "n_qubits": 1, "seed": None,
        "metadata": {}, "counts": None, "truncated": True, "memory": None,
    }  # fmt: skip
    header = {"v": 1, "success": True, "circuits": [circuit], "provenance": {"busy_s": 0.0}}
    head = results.encode_header(header, sha256=blob.hexdigest(), nbytes=nbytes)
    with path.open("wb") as file:
        file.write(results.prefix(head))
        with data.open("rb") as blob_file:
            shutil.copyfileobj(blob_file, file)
    data.unlink()
    return path


def _copy(source: Path, target: Path) -> float:
    """Seconds for a copy of ``source`` over a loopback socket into a synced file, hashed on the way."""
    listener = socket.create_server(("127.0.0.1", 0))

    def send() -> None:
        with socket.create_connection(listener.getsockname()) as out, source.open("rb") as file:
            while chunk := file.read(CHUNK):
                out.sendall(chunk)

    def receive() -> None:
        digest = hashlib.sha256()
        connection, _ = listener.accept()
        with connection, target.open("wb") as file:
            while chunk := connection.recv(CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    sender = threading.Thread(target=send)
    began = time.perf_counter()
    sender.start()
    receive()
    sender.join()
    took = time.perf_counter() - began
    listener.close()
    target.unlink()
    return took


def upload(source: Path, url: str, token: str) -> tuple[str, float]:
    """Run a job whose result is ``source``; its id, and the seconds that the upload took."""
    with Driver(url, token) as driver:
        job_id, attempt = driver.take_job()
        took = timed(lambda: driver.put_result(job_id, attempt, source))
    return job_id, took


def download(url: str, token: str, job_id: str, target: Path) -> None:
    """Fetch, hash and store, by the plainest client there is: what is measured is the server."""
    digest = hashlib.sha256()
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=60)
    connection.request("GET", f"{place.path}qpi/v1/jobs/{job_id}/dataset", headers={"Authorization": f"token {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    block = memoryview(bytearray(CHUNK))
    with target.open("wb") as file:
        while got := answer.readinto(block):
            digest.update(block[:got])
            file.write(block[:got])
    connection.close()
    assert answer.headers["ETag"].strip('"') == digest.hexdigest(), "the dataset came back changed"
    target.unlink()


def _peak_kib(pid: int) -> int:
    """The process's largest resident set so far (KiB)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])

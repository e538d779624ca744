"""Submits a second: eight clients that each send the next when one is acknowledged, against the floor."""

from __future__ import annotations

import json
import socket
import statistics
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from .driver import Driver
from .floor import floor
from .harness import BELL, Figure, cpu_s, median_ratio, server

CLIENTS = 8


class Submitter:
    """One kept connection that sends a Bell job at each call: a client that takes next to no time itself."""

    def __init__(self, url: str, token: str = "", qpu: str = "q") -> None:
        place = urlsplit(url)
        self._job = {"program": {"format": "openqasm3", "sources": [BELL]}, "qpu": qpu}
        self._head = (
            f"POST {place.path}qpi/v1/jobs HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: token {token}\r\n"
            "Content-Type: application/json\r\n"
        )
        self._socket = socket.create_connection((place.hostname or "", place.port or 0), timeout=30)

    def __call__(self, **more: object) -> None:
        """Returns when it is acknowledged."""
        body = json.dumps({**self._job, **more})
        self._socket.sendall(f"{self._head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        head, _, answer = self._socket.recv(1 << 16).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 201 "), head + answer
        missing = int(head.lower().partition(b"content-length:")[2].split()[0]) - len(answer)
        while missing > 0:
            missing -= len(self._socket.recv(missing))

    def close(self) -> None:
        self._socket.close()


def run(*, quick: bool) -> Iterator[Figure]:
    """In turn, some seconds each. A driver that answers every check at once holds the QPU, and takes no job."""
    seconds, rounds = (1.0, 3) if quick else (4.0, 6)
    with server() as lab, Driver(lab.url, lab.token) as driver, floor() as (bare_url, bare_pid):
        submitters = [Submitter(lab.url, lab.token, driver.qpu) for _ in range(CLIENTS)]
        bare = [Submitter(bare_url) for _ in range(CLIENTS)]
        pairs = [(measure(submitters, lab.pid, seconds), measure(bare, bare_pid, seconds)) for _ in range(rounds + 1)][
            1:
        ]
        for one in submitters + bare:
            one.close()
    for place, (name, goal, unit) in enumerate(
        ((f"submits a second, {CLIENTS} clients", 0.25, " /s"), ("server CPU per submit", 4.5, " ms"))
    ):
        ours, floors = ([pair[side][place] for pair in pairs] for side in (0, 1))
        yield Figure(
            name=f"{name}, against the floor's", ratio=median_ratio(ours, floors), goal=goal, at_most=place == 1,
            ours=statistics.median(ours), bare=statistics.median(floors), unit=unit,
        )  # fmt: skip


def measure(submitters: list[Submitter], pid: int, seconds: float) -> tuple[float, float]:
    """Submits a second of all of them together; the CPU time of the server's process for each (ms)."""
    counts, cpu_before = [0] * len(submitters), cpu_s(pid)
    began = time.perf_counter()

    def loop(place: int) -> None:
        while time.perf_counter() < began + seconds:
            submitters[place]()
            counts[place] += 1

    threads = [threading.Thread(target=loop, args=(place,)) for place in range(len(submitters))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rate = sum(counts) / (time.perf_counter() - began)
    return rate, 1e3 * (cpu_s(pid) - cpu_before) / sum(counts)

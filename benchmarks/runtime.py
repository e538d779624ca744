"""IBM's client on a lab, against its own local mode in one process; and what its jobs do to those who only ask.

    python -m benchmarks.runtime LAB

serves what that lab answers, from memory once it has been asked: the floor below ``service.backends()``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import httpx
from qiskit import generate_preset_pass_manager
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from benchmarks.demo import DemoLab
from qpi_jupyter.client.ibm import CRN, addresses
from tests.support.waiting import wait_until

from .bare import SHOTS, bell
from .harness import Figure, interleaved, median_ratio, server

FAKES = {"name": "fakes", "executor": "fake_backends"}
GOALS = {"FakeManilaV2": 5.0, "FakeSherbrooke": 50.0}
"""How many times the local mode's jobs a second, for each of IBM's fake backends."""
P50, ALL = 0.25, 1.2
JOBS, QUICK_JOBS = 100, 10
LOCAL_JOBS = {"FakeManilaV2": 40, "FakeSherbrooke": 4}
"""The local mode needs seconds for each job of 127 qubits."""
LOAD_JOBS, LOAD_SHOTS, IDLE_S = 50, 100_000, 5.0
P99_MS, P99_RATIO = 50.0, 3.0
PATIENCE_S = 120


def run(*, quick: bool) -> Iterator[Figure]:
    """Jobs one after the other, requests while many run, and the list of all backends."""
    warnings.simplefilter("ignore")  # IBM's client says that SamplerV2 is deprecated
    logging.getLogger("qiskit_ibm_runtime.qiskit_runtime_service").setLevel(logging.ERROR)  # and which account it takes
    with server() as lab, _asker(lab) as http:
        http.post("qpi/v1/simulators", json=FAKES).raise_for_status()
        wait_until(lambda: http.get("qpi/v1/qpus/fakes").json()["status"] == "online", PATIENCE_S, "the fake backends")
        token = http.post("qpi/v1/tokens", json={"name": "bench"}).raise_for_status().json()["token"]
        service = service_of(lab.url, token)
        for device, goal in GOALS.items():
            yield from _jobs(service, device, goal, QUICK_JOBS if quick else JOBS)
        yield _answers(service, http, 10 if quick else LOAD_JOBS)
        yield _listed(lab, token, 2 if quick else 3)


def _asker(lab: DemoLab) -> httpx.Client:
    headers = {"Authorization": f"token {lab.token}"}
    return httpx.Client(base_url=lab.url, headers=headers, timeout=PATIENCE_S, trust_env=False)


def service_of(url: str, token: str) -> Any:
    """IBM's client, which has no types, with other addresses."""
    from qiskit_ibm_runtime import QiskitRuntimeService

    with patch.dict(os.environ, addresses(url)):
        return QiskitRuntimeService(
            channel="ibm_quantum_platform", token=token, url=f"{url.rstrip('/')}/qpi/experimental/v1", instance=CRN
        )


def _jobs(service: Any, device: str, goal: float, count: int) -> Iterator[Figure]:
    """Noisy Bell jobs, each read before the next one is sent."""
    from qiskit_ibm_runtime import fake_provider

    fake = getattr(fake_provider, device)()
    # In a thread: IBM's client looks at the whole inspect.stack() with each request, and that takes 20 ms where runpy
    # is in it, as it is under `python -m`.
    with ThreadPoolExecutor(1) as thread:
        ours = thread.submit(_times, service.backend(f"{fake.name}@aer"), count).result()
        local = thread.submit(_times, fake, min(count, LOCAL_JOBS[device])).result()
    rates = [len(times) / sum(times) for times in (ours, local)]
    middle = [1e3 * statistics.median(times) for times in (ours, local)]
    of = f"noisy Bell jobs on {fake.num_qubits} qubits"
    yield Figure(
        name=f"{of}, to IBM's local mode", ratio=rates[0] / rates[1], goal=goal, at_most=False, ours=rates[0],
        bare=rates[1], unit=" /s",
    )  # fmt: skip
    yield Figure(name=f"{of}, p50", ratio=middle[0] / middle[1], goal=P50, ours=middle[0], bare=middle[1], unit=" ms")


def _times(backend: Any, count: int) -> list[float]:
    """How long each job takes (seconds)."""
    from qiskit_ibm_runtime import SamplerV2

    circuit = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(bell())
    sampler, times = SamplerV2(mode=backend), []
    for _ in range(count + 1):
        began = time.perf_counter()
        assert sampler.run([circuit], shots=SHOTS).result()[0].data.c.num_shots == SHOTS
        times.append(time.perf_counter() - began)
    return times[1:]  # the first one loads and remembers


def _answers(service: Any, http: httpx.Client, jobs: int) -> Figure:
    """How soon the lab answers while many jobs with many shots run."""
    from qiskit_ibm_runtime import SamplerV2

    def ask() -> float:
        began = time.perf_counter()
        http.get("qpi/experimental/v1/backends/fake_manila@aer/status").raise_for_status()
        return 1e3 * (time.perf_counter() - began)

    backend = service.backend("fake_manila@aer")
    circuit = generate_preset_pass_manager(1, backend=backend, seed_transpiler=1).run(bell())
    ends = time.monotonic() + IDLE_S
    idle = _asked(ask, lambda: time.monotonic() > ends)
    last = [SamplerV2(mode=backend).run([circuit], shots=LOAD_SHOTS).job_id() for _ in range(jobs)][-1]
    busy = _asked(ask, lambda: http.get(f"qpi/v1/jobs/{last}").json()["ended_at"] is not None)
    (p50, p99), (idle_p50, idle_p99) = _percentiles(busy), _percentiles(idle)
    return Figure(
        name=f"answers while {jobs} jobs of {LOAD_SHOTS:,} shots run, p99 of its bound",
        ratio=p99 / max(P99_MS, P99_RATIO * idle_p99), goal=1.0, ours=p99, bare=idle_p99, unit=" ms idle",
        note=f"of {len(busy):,} and {len(idle):,} answers; p50 {p50:.1f} and {idle_p50:.1f} ms",
    )  # fmt: skip


def _asked(ask: Callable[[], float], over: Callable[[], bool]) -> list[float]:
    times: list[float] = []
    while len(times) < 100 or not over():
        times += [ask() for _ in range(25)]
    return times


def _percentiles(times: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(times, n=100)
    return cuts[49], cuts[98]


def _listed(lab: DemoLab, token: str, pairs: int) -> Figure:
    """``service.backends()`` of a new service, against the same bytes from memory."""

    def listing(url: str) -> Callable[[], object]:
        services = iter([service_of(url, token) for _ in range(pairs + 1)])
        return lambda: next(services).backends()

    with memory(lab.url) as remembered:
        ours, bare = listing(lab.url), listing(remembered)
        count = len(list(ours()))  # type: ignore[call-overload]
        bare()
        times = interleaved(ours, bare, pairs)
    return Figure(
        name=f"backends() of {count} devices, to the same bytes from memory", ratio=median_ratio(*times), goal=ALL,
        ours=1e3 * statistics.median(times[0]), bare=1e3 * statistics.median(times[1]), unit=" ms",
    )  # fmt: skip


# --- the same bytes from memory ---------------------------------------------------------------------------------------


class Remembered(RequestHandler):
    """Answers as the lab did."""

    def initialize(self, lab: str, answers: dict[tuple[str, str], tuple[int, str, bytes]]) -> None:
        """Know the lab, and what it has said so far."""
        self._lab, self._answers = lab, answers

    async def get(self) -> None:
        """From memory, or from the lab."""
        key = (str(self.request.method), str(self.request.uri))
        if key not in self._answers:
            sent = {
                name: value for name, value in self.request.headers.items() if name in ("Authorization", "Content-Type")
            }
            answer = await AsyncHTTPClient().fetch(
                f"{self._lab}{key[1]}", method=key[0], headers=sent, body=self.request.body or None, raise_error=False
            )
            self._answers[key] = (answer.code, answer.headers["Content-Type"], answer.body)
        status, kind, body = self._answers[key]
        self.set_status(status)
        self.set_header("Content-Type", kind)
        self.finish(body)

    post = get

    def check_xsrf_cookie(self) -> None:
        """Nobody signs in."""


async def serve(lab: str) -> None:
    """Until it is killed."""
    sockets = bind_sockets(0, "127.0.0.1")
    handler = (r".*", Remembered, {"lab": lab.rstrip("/"), "answers": {}})
    HTTPServer(Application([handler], log_function=lambda _: None)).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


@contextmanager
def memory(lab: str) -> Iterator[str]:
    """The address of such a server, in a process of its own."""
    with subprocess.Popen([sys.executable, "-m", __name__, lab], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/"
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))

"""Eight clients and two places against two bare processes that do nothing else."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from typing import Any

from qiskit import QuantumCircuit

import qpi_jupyter
from benchmarks.demo import DemoLab

from . import bare
from .harness import Figure, server

CLIENTS = 8


def run(*, quick: bool) -> Iterator[Figure]:
    """Jobs a second: Bell pairs, circuits of 25 ms, and a hundred Bell pairs in one job."""
    seconds = 4.0 if quick else 12.0
    cases: list[tuple[str, QuantumCircuit | list[QuantumCircuit], float]] = [
        ("Bell jobs per second, 8 clients, 2 places", bare.bell(), 0.04),
        ("25 ms jobs per second, 8 clients, 2 places", bare.lasting(0.025), 0.5),
        ("100 Bells in one job, jobs per second", [bare.bell() for _ in range(100)], 0.7),
    ]
    with server() as demo:
        for name, circuits, goal in cases:
            baseline = bare.rate(circuits, seconds=seconds)
            ours = rate(demo, circuits, seconds=seconds)
            yield Figure(
                name=name, ratio=ours / baseline, goal=goal, at_most=False, ours=ours, bare=baseline, unit=" /s"
            )


def rate(demo: DemoLab, circuits: Any, *, seconds: float) -> float:
    """Jobs a second that `CLIENTS` processes get results of, each submitting the next when one is in hand."""
    context = multiprocessing.get_context("spawn")
    barrier, count = context.Barrier(CLIENTS + 1), context.Value("l", 0)
    args = (demo.url, demo.token, circuits, seconds, barrier, count)
    workers = [context.Process(target=_loop, args=args) for _ in range(CLIENTS)]
    for worker in workers:
        worker.start()
    barrier.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    return float(count.value) / max(seconds, time.perf_counter() - began - 0.05)


def _loop(url: str, token: str, circuits: Any, seconds: float, barrier: Barrier, count: Any) -> None:
    client = qpi_jupyter.connect(url, token=token)
    client.submit(circuits, qpu="sim-a", shots=bare.SHOTS).counts()
    barrier.wait()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        client.submit(circuits, qpu="sim-a", shots=bare.SHOTS).counts()
        with count.get_lock():
            count.value += 1
    client.close()

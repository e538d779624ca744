"""Eight large circuits as the circuit task service's own benchmark runs them: blocking, in threads, in processes and in
both; and through a lab.

That service takes threads because they were quickest there, and says that Aer lets go of Python's interpreter lock. It
does not: all of the gain is Aer's own OpenMP, whoever calls it, and the longest time for which nothing else in the
process ran is shown beside each strategy.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx
from qiskit import QuantumCircuit, qasm3, transpile
from qiskit.circuit.library import quantum_volume
from qiskit.synthesis.qft import synth_qft_full
from qiskit_aer import AerSimulator

from .harness import Figure, server

TASKS, SHOTS = 8, 1024
PLACES = 2


def run(*, quick: bool) -> Iterator[Figure]:
    """How long all take, against the plainest loop."""
    texts = [text_of(number, widths=(17, 18, 19) if quick else (21, 22, 23)) for number in range(TASKS)]
    spawn = multiprocessing.get_context("spawn")
    baseline, blocked = measured(lambda: [count(text) for text in texts])
    yield Figure(
        name="tasks: a blocking loop, held", ratio=1.0, goal=None, ours=baseline, bare=baseline, unit=" s",
        note=f"nothing else ran for {blocked:.2f} s",
    )  # fmt: skip
    pools: dict[str, Callable[[], tuple[Executor, Callable[[Any], Any], Sequence[Any]]]] = {
        "threads": lambda: (ThreadPoolExecutor(PLACES), count, texts),
        "processes": lambda: (ProcessPoolExecutor(PLACES, mp_context=spawn), count, texts),
        "processes of two threads": lambda: (
            ProcessPoolExecutor(PLACES, mp_context=spawn),
            count_in_threads,
            [texts[place::PLACES] for place in range(PLACES)],
        ),
    }  # fmt: skip
    for name, make in pools.items():
        pool, work, given = make()
        with pool:
            took, held = measured(lambda pool=pool, work=work, given=given: list(pool.map(work, given)))
        yield Figure(
            name=f"tasks: {PLACES} {name}", ratio=took / baseline, goal=None, ours=took, bare=baseline, unit=" s",
            note=f"nothing else ran for {held:.2f} s",
        )  # fmt: skip
    with server() as demo:
        took, held = measured(lambda: by_http(demo.url, demo.token, texts))
    yield Figure(
        name="tasks: POST qpi/tasks, a lab with one place", ratio=took / baseline, goal=None, ours=took, bare=baseline,
        unit=" s", note=f"nothing else ran for {held:.2f} s",
    )  # fmt: skip


def text_of(number: int, widths: Sequence[int]) -> str:
    """An OpenQASM 3 circuit: a Fourier transform, a random one or a chain, by turns."""
    width = widths[number % len(widths)]
    circuit = QuantumCircuit(width)
    if number % 3 == 0:
        circuit.compose(synth_qft_full(width), inplace=True)
    elif number % 3 == 1:
        circuit.compose(quantum_volume(width, depth=3, seed=number), inplace=True)
    else:
        circuit.h(0)
        for qubit in range(1, width):
            circuit.cx(qubit - 1, qubit)
            circuit.ry(0.1 * qubit, qubit)
    circuit.measure_all()
    return qasm3.dumps(transpile(circuit, basis_gates=["u", "cx"], optimization_level=0))


@cache
def _aer() -> AerSimulator:
    return AerSimulator()


def count(text: str) -> dict[str, int]:
    """The counts of one text."""
    counts: dict[str, int] = _aer().run(transpile(qasm3.loads(text), _aer()), shots=SHOTS).result().get_counts()
    return counts


def count_in_threads(texts: Sequence[str]) -> list[dict[str, int]]:
    """Those of several, in threads of this process."""
    with ThreadPoolExecutor(PLACES) as pool:
        return list(pool.map(count, texts))


def by_http(url: str, token: str, texts: Sequence[str]) -> list[dict[str, int]]:
    """Those that a lab counts."""
    with httpx.Client(base_url=f"{url}qpi/", headers={"Authorization": f"Bearer {token}"}, timeout=300) as http:
        bodies = [{"quantum_circuit": text, "shots": SHOTS, "qpu": "sim-a"} for text in texts]
        taken = [http.post("tasks", json=body).raise_for_status().json()["task_id"] for body in bodies]
        for task in taken:
            while http.get(f"v1/jobs/{task}", params={"wait_s": 60}).raise_for_status().json()["ended_at"] is None:
                pass
        return [http.get(f"tasks/{task}").raise_for_status().json()["result"] for task in taken]


def measured(work: Callable[[], Sequence[dict[str, int] | list[dict[str, int]]]]) -> tuple[float, float]:
    """How long it took, and how long another thread of this process had to wait meanwhile at most (s)."""
    with waiting() as longest:
        began = time.perf_counter()
        found = work()
        took = time.perf_counter() - began
    flat = [each for one in found for each in (one if isinstance(one, list) else [one])]
    assert [sum(counts.values()) for counts in flat] == [SHOTS] * TASKS
    return took, longest()


@contextmanager
def waiting() -> Iterator[Callable[[], float]]:
    """A thread that wants to run every millisecond; how late it was at worst."""
    over, gaps = threading.Event(), [0.0]

    def watch() -> None:
        last = time.perf_counter()
        while not over.wait(0.001):
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield lambda: max(gaps)
    finally:
        over.set()
        thread.join()

"""What every benchmark needs: a figure with its goal, and a real lab in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

import qpi_jupyter
from benchmarks.demo import DemoLab, demo_lab
from tests.support.servers import wait_until

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured ratio. ``goal`` is its bound, if it has one; ``at_most`` says which side of it is good."""

    name: str
    ratio: float
    goal: float | None
    at_most: bool = True
    ours: float | None = None
    bare: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def met(self) -> bool:
        if self.goal is None:
            return True
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    def as_dict(self) -> dict[str, object]:
        """The figure as JSON."""
        return {**asdict(self), "met": self.met}

    def line(self) -> str:
        """The figure as a row of the table."""
        sides = "" if self.ours is None or self.bare is None else f"{self.ours:9.3g} | {self.bare:<9.3g}{self.unit}"
        goal = "" if self.goal is None else f"{'<=' if self.at_most else '>='} {self.goal:g}"
        mark = "ok    " if self.met else "MISSED"
        return f"{mark} {self.name:58} {self.ratio:8.3f} {goal:9} {sides} {self.note}"


@contextmanager
def lab() -> Iterator[qpi_jupyter.Lab]:
    """A demo lab in processes of its own, and a client connected to it."""
    with server() as demo:
        client = qpi_jupyter.connect(demo.url, token=demo.token)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def server(module: str = "qpi_server.tools.standalone", options: Sequence[str] = ()) -> Iterator[DemoLab]:
    """A demo lab in processes of its own, with an empty data folder."""
    with (
        tempfile.TemporaryDirectory(prefix="qpi-bench-") as folder,
        demo_lab(Path(folder), Path(folder) / "lab.log", module, options) as demo,
    ):
        yield demo


@contextmanager
def watched(what: str) -> Iterator[tuple[DemoLab, Callable[[], dict[str, Any]]]]:
    """A demo lab that watches itself (see `benchmarks.watched`), and what tells what it saw since it was last asked."""
    with tempfile.TemporaryDirectory(prefix="qpi-watch-") as folder:
        target = Path(folder) / "seen.json"
        os.environ.update(BENCH_WATCH=what, BENCH_WATCH_FILE=str(target))
        with server("benchmarks.watched") as demo:

            def seen() -> dict[str, Any]:
                target.unlink(missing_ok=True)
                os.kill(demo.pid, signal.SIGUSR2)
                wait_until(target.exists, 10, "the watched server's answer")
                return dict(json.loads(target.read_text()))

            yield demo, seen


def cpu_s(pid: int) -> float:
    """The CPU time of a process so far (s)."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def timed(action: Callable[[], object]) -> float:
    """How long ``action`` takes (seconds)."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def interleaved(ours: Callable[[], object], bare: Callable[[], object], pairs: int) -> tuple[list[float], list[float]]:
    """Both timed in turn, so that a machine that slows down slows both (seconds)."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        times[0].append(timed(ours))
        times[1].append(timed(bare))
    return times


def median_ratio(ours: list[float], bare: list[float]) -> float:
    """The median of the pairs' ratios."""
    return statistics.median(a / b for a, b in zip(ours, bare, strict=True))

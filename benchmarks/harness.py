"""What every benchmark needs: a figure with its goal, and a real lab in processes of its own."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import qpi_jupyter
from qpi_server.demo import DemoLab, demo_lab

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured ratio. ``goal`` is its bound; ``at_most`` says which side of it is good."""

    name: str
    ratio: float
    goal: float
    at_most: bool = True
    ours: float | None = None
    bare: float | None = None
    unit: str = ""
    note: str = ""

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    def as_dict(self) -> dict[str, object]:
        """The figure as JSON."""
        return {**asdict(self), "met": self.met}

    def line(self) -> str:
        """The figure as a row of the table."""
        sides = "" if self.ours is None or self.bare is None else f"{self.ours:9.3g} | {self.bare:<9.3g}{self.unit}"
        sign = "<=" if self.at_most else ">="
        mark = "ok    " if self.met else "MISSED"
        return f"{mark} {self.name:58} {self.ratio:8.3f} {sign} {self.goal:<6g} {sides} {self.note}"


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
def server(module: str = "qpi_server.standalone") -> Iterator[DemoLab]:
    """A demo lab in processes of its own, with an empty data folder."""
    with (
        tempfile.TemporaryDirectory(prefix="qpi-bench-") as folder,
        demo_lab(Path(folder), Path(folder) / "lab.log", module) as demo,
    ):
        yield demo


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

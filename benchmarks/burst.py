"""The queue tab in Chromium while 30 jobs of one's own run every second: how far it is behind, what its heap keeps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from playwright.sync_api import CDPSession, Page

from .browser import DEMO, browser, jupyterlab, open_queue
from .harness import Figure
from .submits import Submitter

PER_S = 30
SECONDS, QUICK_SECONDS = 600, 60
LOOK_S = 0.25
MOST_BEHIND_S, MOST_MB = 1.0, 0.1
NEWEST = """() => Math.max(0, ...[...document.querySelectorAll('#qpi-queue [role=row][data-key]')].map(
  row => Number(/burst (\\d+)/.exec(row.textContent)?.[1] ?? 0)
))"""
"""The number of the newest job on the screen."""


class Burst(threading.Thread):
    """Submits at a steady pace; ``sent`` is when each was acknowledged."""

    def __init__(self, submit: Submitter, seconds: float) -> None:
        super().__init__(name="burst")
        self._submit, self._count = submit, int(seconds * PER_S)
        self.sent: list[float] = []

    def run(self) -> None:
        began = time.perf_counter()
        for number in range(self._count):
            time.sleep(max(0.0, began + number / PER_S - time.perf_counter()))
            self._submit(name=f"burst {number + 1}", options={"shots": 1})
            self.sent.append(time.perf_counter())


def run(*, quick: bool) -> Iterator[Figure]:
    """The heap is measured after a tenth of the time and at the end, each time without what is garbage."""
    seconds = QUICK_SECONDS if quick else SECONDS
    with jupyterlab(DEMO) as notebooks, browser() as running:
        submit = Submitter(f"{notebooks.url}/", notebooks.token, "sim-a")
        submit(name="the first")
        page = running.new_page(viewport={"width": 1200, "height": 900})
        open_queue(page, notebooks)
        heap = page.context.new_cdp_session(page)
        burst = Burst(submit, seconds)
        burst.start()
        behind = _watch(page, burst, seconds / 10)
        before, jobs_before = _heap_mb(heap), len(burst.sent)
        behind += _watch(page, burst, seconds)
        burst.join()
        grown = 1000 * (_heap_mb(heap) - before) / (len(burst.sent) - jobs_before)
        submit.close()
    jobs, rate = len(burst.sent), (len(burst.sent) - 1) / (burst.sent[-1] - burst.sent[0])
    yield Figure(
        name=f"queue tab behind, {jobs:,} jobs at {PER_S} a second (s)", ratio=max(behind), goal=MOST_BEHIND_S,
        note=f"{rate:.1f} jobs a second; {sum(behind) / len(behind):.2f} s on average",
    )  # fmt: skip
    yield Figure(name="growth of its heap for every 1,000 jobs (MB)", ratio=grown, goal=MOST_MB)


def _watch(page: Page, burst: Burst, seconds: float) -> list[float]:
    """How old the oldest job was that was not on the screen yet, every now and then (s)."""
    found = []
    end = time.perf_counter() + seconds
    while burst.is_alive() and time.perf_counter() < end:
        time.sleep(LOOK_S)
        sent, now = list(burst.sent), time.perf_counter()
        shown = page.evaluate(NEWEST)
        found.append(now - sent[shown] if shown < len(sent) else 0.0)
    return found


def _heap_mb(heap: CDPSession) -> float:
    heap.send("HeapProfiler.collectGarbage")
    return float(heap.send("Runtime.getHeapUsage")["usedSize"]) / 1e6

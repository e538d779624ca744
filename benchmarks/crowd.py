"""A lab with a hundred panels on it: how soon an event is on the screen, and what the others cost the server.

One panel is real, the queue tab in Chromium. The others are what panels on servers of their own are to the lab: a
stream each, which sees everything.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

from playwright.sync_api import Page

from benchmarks.demo import DemoLab

from . import delay
from .browser import browser, jupyterlab, open_queue
from .driver import Driver
from .harness import Figure, cpu_s
from .submits import Submitter

FEW, MANY, PER_S = 10, 100, 5
GOAL_MS, GOAL_RATIO = 300.0, 1.5
JOBS, QUICK_JOBS = 200, 50
PATIENCE_S = 60
WATCH = """() => {
  window.seen = {};
  const look = () => {
    for (const row of document.querySelectorAll('#qpi-queue [role=row][data-key]')) {
      const found = /crowd (\\d+)/.exec(row.textContent);
      if (found && !(found[1] in window.seen)) {
        window.seen[found[1]] = 0;
        requestAnimationFrame(() => requestAnimationFrame(() => { window.seen[found[1]] = Date.now(); }));
      }
    }
  };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true, characterData: true});
}"""
"""The second frame after a row appears is drawn with it."""


def run(*, quick: bool) -> Iterator[Figure]:
    """The same events, with few panels and with many."""
    jobs = QUICK_JOBS if quick else JOBS
    with jupyterlab() as notebooks, browser() as running:
        url = f"{notebooks.url}/"
        pid = int(DemoLab(url, notebooks.token, notebooks.folder, 0).get("qpi/health")["owner"]["pid"])
        with Driver(url, notebooks.token, links=1) as bench:
            submit = Submitter(url, notebooks.token, bench.qpu)
            submit(name="the first")
            page = running.new_page(viewport={"width": 1200, "height": 900})
            open_queue(page, notebooks)
            spent: dict[int, float] = {}
            for panels in (FEW, MANY):
                with others(url, notebooks.token, panels - 1):
                    before = cpu_s(pid)
                    took = _pixels(page, submit, range(1000 * panels, 1000 * panels + jobs))
                    spent[panels] = cpu_s(pid) - before
                p95 = statistics.quantiles(took, n=20)[-1]
                goal = GOAL_MS if panels == MANY else None
                yield Figure(
                    name=f"event to pixel, p95 (ms), {panels} panels", ratio=p95, goal=goal, ours=p95,
                    bare=statistics.median(took), unit=" ms in the middle",
                )  # fmt: skip
            submit.close()
    yield Figure(
        name=f"server's CPU, {MANY} panels against {FEW}", ratio=spent[MANY] / spent[FEW], goal=GOAL_RATIO,
        ours=1e3 * spent[MANY] / jobs, bare=1e3 * spent[FEW] / jobs, unit=" ms for each job",
    )  # fmt: skip


@contextmanager
def others(url: str, token: str, number: int) -> Iterator[None]:
    """So many streams that see everything, in a process of their own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_read_all, args=(url, token, number, theirs))
    process.start()
    try:
        assert ours.poll(PATIENCE_S), "the other panels did not start"
        yield
    finally:
        process.kill()
        process.join()


def _read_all(url: str, token: str, number: int, parent: Connection) -> None:
    asyncio.run(_read(url, token, number, parent))


async def _read(url: str, token: str, number: int, parent: Connection) -> None:
    heard: delay.Heard = asyncio.Queue()
    listening = asyncio.Barrier(number + 1)
    readers = [asyncio.ensure_future(delay.stream(url, token, listening, heard)) for _ in range(number)]
    await listening.wait()
    parent.send("ready")
    await asyncio.gather(*readers)


def _pixels(page: Page, submit: Submitter, jobs: range) -> list[float]:
    """Milliseconds from each submit's moment to its row on the screen."""
    page.evaluate(WATCH)
    began, sent = time.perf_counter(), {}
    for n, number in enumerate(jobs):
        page.wait_for_timeout(1e3 * max(0.0, began + n / PER_S - time.perf_counter()))
        sent[str(number)] = 1e3 * time.time()
        submit(name=f"crowd {number}")
    page.wait_for_function("last => window.seen[last]", arg=str(jobs[-1]), timeout=60_000)
    seen: dict[str, float] = page.evaluate("() => window.seen")
    return [seen[number] - at for number, at in sent.items() if seen.get(number)]  # a row may come and go unseen

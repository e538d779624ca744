"""Whether the queue tab stays smooth: frames a second while 100 000 rows are scrolled through in Chromium."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Route

from tests.ui.jupyterlab import Notebooks

from .browser import browser, jupyterlab, open_queue
from .harness import Figure

ROWS, QUICK_ROWS = 100_000, 5_000
GOAL = 50
"""Frames a second."""
SECONDS = 5
ALL_ROWS = """async () => {
  const grid = document.querySelector('#qpi-queue [role=grid]');
  while (grid.getAttribute('aria-rowcount') === '-1') {
    grid.scrollTop = grid.scrollHeight;
    await new Promise(requestAnimationFrame);
  }
  return Number(grid.getAttribute('aria-rowcount')) - 1;
}"""
FRAMES = """async ([seconds, scrolling]) => {
  const grid = document.querySelector('#qpi-queue [role=grid]');
  const frames = [];
  const began = performance.now();
  for (let last = began; last - began < 1000 * seconds; ) {
    if (scrolling) {
      grid.scrollTop = (grid.scrollHeight * (last - began)) / (1000 * seconds);
    }
    const now = await new Promise(requestAnimationFrame);
    frames.push(now - last);
    last = now;
  }
  return frames;
}"""


def run(*, quick: bool) -> Iterator[Figure]:
    """From the first row to the last in some seconds, so that every frame has new rows to draw."""
    rows = QUICK_ROWS if quick else ROWS
    with jupyterlab() as notebooks:
        frames, still = _frames(notebooks, rows)
    slow = statistics.quantiles(frames, n=20)[-1]
    yield Figure(
        name=f"frames a second while {rows:,} jobs are scrolled through", ratio=_rate(frames), goal=GOAL, at_most=False,
        ours=_rate(frames), bare=_rate(still), unit=" fps standing still",
        note=f"95 % of the frames within {slow:.0f} ms",
    )  # fmt: skip


def _rate(frames: list[float]) -> float:
    return 1000 * len(frames) / sum(frames)


def _frames(notebooks: Notebooks, rows: int) -> tuple[list[float], list[float]]:
    """How long each frame took (ms): while it is scrolled, and while nothing moves."""
    with browser() as running:
        page = running.new_page(viewport={"width": 1200, "height": 900})
        page.route("**/qpi/v1/jobs?*", lambda route: _answer(route, rows))
        open_queue(page, notebooks)
        found = page.evaluate(ALL_ROWS)
        assert found == rows, f"{found} rows of {rows}"
        still: list[float] = page.evaluate(FRAMES, [SECONDS, False])
        frames: list[float] = page.evaluate(FRAMES, [SECONDS, True])
    return frames, still


def _answer(route: Route, rows: int) -> None:
    """One page of a list of ``rows`` jobs; a lab of its own would take minutes to fill."""
    query = parse_qs(urlsplit(route.request.url).query)
    start, limit = int(query.get("after", ["0"])[0]), int(query["limit"][0])
    end = min(start + limit, rows)
    page = {"jobs": [_job(n) for n in range(start, end)], "next": str(end) if end < rows else None, "total": rows}
    route.fulfill(status=200, content_type="application/json", body=json.dumps(page))


def _job(n: int) -> dict[str, Any]:
    return {
        "id": f"job-{n:016x}", "version": 3, "owner": "ada", "status": "completed", "phase": "completed",
        "qpu": f"q{n % 5}", "name": f"Rabi scan {n}", "tags": ["cal", "night"][: n % 3], "priority": 0, "attempt": 1,
        "checked": True, "progress": 1.0, "format": "openqasm3", "num_circuits": 1, "shots": 1000 + n % 7,
        "submitted_at": f"2026-01-{28 - n // 86_400:02}T{n // 3600 % 24:02}:{n // 60 % 60:02}:{n % 60:02}Z",
        "started_at": None, "ended_at": None, "estimate_s": 0.1, "upper_s": 0.2, "busy_s": 0.1, "reason": None,
        "error": None, "dataset": None, "origin": {}, "retry_safe": False, "project": "", "account": "ada",
        "shared_with": None, "counts": None,
    }  # fmt: skip

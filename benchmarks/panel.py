"""What the panel costs: bytes that load with JupyterLab, and the way from an event to the screen at 200 a second."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Page, Response, sync_playwright

from tests.support.servers import wait_until
from tests.ui.conftest import CHROMIUM_FLAGS, Notebooks, start_jupyterlab

from .harness import Figure

OPTIONS = ("--ServerApp.jpserver_extensions={'qpi_server': True}", "--QPIServer.demo=True")
EVENTS, QUICK_EVENTS = 2_000, 400
LONGEST_MS, MOST_KB = 100.0, 40.0
ONE_SHOT = "OPENQASM 3.0;\nqubit[1] q;\nbit[1] c;\nc = measure q;\n"
PIXELS = """async ([owner, n]) => {
  const panel = document.querySelector('#qpi-lab-panel');
  const id = panel.querySelector('[data-section=jobs] .jp-QPI-Row').dataset.key;
  const bar = () => panel.querySelector(`.jp-QPI-Row[data-key="${id}"] progress`);
  const { stream } = window.jupyterapp.serviceManager.events;
  const waiting = [], took = [];
  new MutationObserver(() => {
    for (const now = bar()?.value ?? -1; waiting.length > 0 && waiting[0][0] <= now + 1e-9; ) {
      const [, said] = waiting.shift();
      requestAnimationFrame(() => took.push(performance.now() - said));
    }
  }).observe(panel, { subtree: true, childList: true, attributes: true });
  const say = i => {
    waiting.push([i / n, performance.now()]);
    stream.emit({
      schema_id: 'https://schema.qpi-jupyter.org/lab/v1', seq: 1e6 + i, prev: 1e6 + i - 1, at: '', qpu: 'sim-a',
      kind: i % 2 ? 'job.changed' : 'job.progress', job_id: id,
      data: { version: 1000 + i, status: 'running', phase: 'running', progress: i / n, owner }
    });
  };
  const began = performance.now();
  for (let i = 0; i < n; ) {
    await new Promise(done => setTimeout(done, 5));
    while (i < n && i < (performance.now() - began) / 5) say(++i);
  }
  while (waiting.length > 0) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return took;
}"""
"""A job's events, half of which make the panel ask the lab as well; how long each took until a frame showed it (ms)."""


def run(*, quick: bool) -> Iterator[Figure]:
    """On a demo lab: the events are said in the page, and what they make the panel ask is answered for real."""
    with tempfile.TemporaryDirectory(prefix="qpi-panel-") as folder:
        home = Path(folder)
        process, notebooks = start_jupyterlab(home, {"QPI_LAB_DIR": str(home / "lab")}, *OPTIONS)
        try:
            wait_until(lambda: all(q["status"] == "online" for q in _ask(notebooks, "qpus")["qpus"]), 90, "QPUs online")
            _ask(notebooks, "jobs", {"program": {"format": "openqasm3", "sources": [ONE_SHOT]}, "qpu": "sim-a"})
            start, opened, took = _watch(notebooks, QUICK_EVENTS if quick else EVENTS)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    took.sort()
    late, middle = took[int(0.95 * len(took))], took[len(took) // 2]
    yield Figure(
        name="what loads with JupyterLab (kB)", ratio=start, goal=MOST_KB, at_most=True, ours=start, bare=opened,
        unit=" kB with the side panel open",
    )  # fmt: skip
    yield Figure(
        name="event to pixel at 200 events a second (p95)", ratio=late, goal=LONGEST_MS, at_most=True, ours=late,
        bare=middle, unit=" ms in the middle",
    )  # fmt: skip


def _watch(notebooks: Notebooks, events: int) -> tuple[float, float, list[float]]:
    """Kilobytes at start and after the side panel's first opening; milliseconds of each event."""
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        parts: list[Response] = []
        page.on("response", lambda got: parts.append(got) if "extensions/qpi-jupyter/static" in got.url else None)
        page.goto(f"{notebooks.url}/lab?token={notebooks.token}&reset")
        page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
        page.wait_for_function("() => window.jupyterapp && document.querySelector('.jp-Launcher')")
        start = _kilobytes(parts)
        page.locator('[data-id="qpi-lab-panel"]').click()
        _settled(page)
        opened = _kilobytes(parts)
        took: list[float] = page.evaluate(PIXELS, [_ask(notebooks, "me")["user"]["name"], events])
        browser.close()
    return start, opened, took


def _settled(page: Page) -> None:
    page.wait_for_selector('#qpi-lab-panel .jp-QPI-Row:has-text("completed")')


def _kilobytes(parts: list[Response]) -> float:
    return sum(len(part.body()) for part in parts) / 1000


def _ask(notebooks: Notebooks, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"token {notebooks.token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{notebooks.url}/qpi/v1/{path}", data, headers), timeout=10) as answer:
        return json.load(answer)

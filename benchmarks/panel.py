"""What the panel costs: time and bytes at JupyterLab's start and at each tab's first opening, and the way from an event
to the screen at 200 events a second."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, Response, Route

from tests.support.servers import wait_until
from tests.ui.jupyterlab import Notebooks

from .browser import DEMO, browser, jupyterlab, loaded
from .harness import Figure, interleaved, timed

EVENTS, QUICK_EVENTS = 2_000, 400
LONGEST_MS, MOST_KB, SLOWEST_START = 100.0, 40.0, 1.1
START = '<script id="jupyter-config-data" type="application/json">'
CONFIG = re.compile(re.escape(START) + r"(.*?)</script>", re.DOTALL)
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


TABS = {
    "calendar": ".jp-QPI-Grid [role=cell]", "queue": "#qpi-queue [role=grid]", "qpu": ".jp-QPI-Topology",
    "admin": "#qpi-admin .jp-QPI-AdminSection table",
}  # fmt: skip
"""What a tab has on the screen once it is open."""


def run(*, quick: bool) -> Iterator[Figure]:
    """On a demo lab: the events are said in the page, and what they make the panel ask is answered for real."""
    with jupyterlab(DEMO) as notebooks:
        wait_until(lambda: all(q["status"] == "online" for q in _ask(notebooks, "qpus")["qpus"]), 90, "QPUs online")
        _ask(notebooks, "jobs", {"program": {"format": "openqasm3", "sources": [ONE_SHOT]}, "qpu": "sim-a"})
        with browser() as running:
            yield from _start(running, notebooks, 3 if quick else 9)
            yield from _openings(running, notebooks)
            yield _events(running, notebooks, QUICK_EVENTS if quick else EVENTS)


def _start(browser: Browser, notebooks: Notebooks, pairs: int) -> Iterator[Figure]:
    """JupyterLab with and without the panel, each in a browser that has seen neither."""
    # The first of both warms up the server.
    with_panel, without = interleaved(
        lambda: _fresh(browser, notebooks).close(), lambda: _fresh(browser, notebooks, panel=False).close(), pairs + 1
    )
    ours, bare = statistics.median(with_panel[1:]), statistics.median(without[1:])
    yield Figure(
        name="JupyterLab's start with the panel, against without", ratio=ours / bare, goal=SLOWEST_START, at_most=True,
        ours=ours, bare=bare, unit=" s",
    )  # fmt: skip


def _openings(browser: Browser, notebooks: Notebooks) -> Iterator[Figure]:
    """Kilobytes at the start; kilobytes and time of the first opening of the side panel and of each tab."""
    parts: list[Response] = []
    page = _fresh(browser, notebooks, heard=parts)
    start = _kilobytes(parts)
    notes = []
    for name, shown in {"side panel": "#qpi-lab-panel .jp-QPI-Card", **TABS}.items():
        parts.clear()
        took = timed(lambda name=name, shown=shown: _opened(page, name, shown))  # type: ignore[misc]
        notes.append(f"{name} {_kilobytes(parts):.0f} kB {1000 * took:.0f} ms")
    page.close()
    yield Figure(
        name="what loads with JupyterLab (kB)", ratio=start, goal=MOST_KB, at_most=True,
        note="first opening: " + ", ".join(notes),
    )  # fmt: skip


def _opened(page: Page, name: str, shown: str) -> None:
    if name == "side panel":
        page.locator('[data-id="qpi-lab-panel"]').click()
    else:
        args = {"qpu": "sim-b"} if name == "qpu" else {}
        page.evaluate(
            "([id, args]) => { void window.jupyterapp.commands.execute(id, args) }", [f"qpi:open-{name}", args]
        )
    page.wait_for_selector(shown)


def _events(browser: Browser, notebooks: Notebooks, events: int) -> Figure:
    """How long the side panel takes to show what an event says."""
    page = _fresh(browser, notebooks)
    page.locator('[data-id="qpi-lab-panel"]').click()
    page.wait_for_selector('#qpi-lab-panel .jp-QPI-Row:has-text("completed")')
    took: list[float] = page.evaluate(PIXELS, [_ask(notebooks, "me")["user"]["name"], events])
    page.close()
    took.sort()
    late, middle = took[int(0.95 * len(took))], took[len(took) // 2]
    return Figure(
        name="event to pixel at 200 events a second (p95)", ratio=late, goal=LONGEST_MS, at_most=True, ours=late,
        bare=middle, unit=" ms in the middle",
    )  # fmt: skip


def _fresh(browser: Browser, notebooks: Notebooks, *, panel: bool = True, heard: list[Response] | None = None) -> Page:
    """JupyterLab, ready, in a browser that has nothing in its cache; ``heard`` gets what it loads of the panel."""
    page = browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
    if heard is not None:
        page.on("response", lambda got: heard.append(got) if "extensions/qpi-jupyter/static" in got.url else None)

    def answer(route: Route) -> None:
        """The page, which lists the extensions to load."""
        answer = route.fetch()
        text = answer.text()
        before, config, after = CONFIG.split(text)
        document = json.loads(config)
        known = document["federated_extensions"]
        document["federated_extensions"] = [one for one in known if panel or one["name"] != "qpi-jupyter"]
        assert panel or len(document["federated_extensions"]) == len(known) - 1
        route.fulfill(response=answer, body=before + START + json.dumps(document) + "</script>" + after)

    page.route("**/lab?*", answer)
    loaded(page, notebooks)
    return page


def _kilobytes(parts: list[Response]) -> float:
    return sum(len(part.body()) for part in parts) / 1000


def _ask(notebooks: Notebooks, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"token {notebooks.token}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"{notebooks.url}/qpi/v1/{path}", data, headers), timeout=10) as answer:
        return json.load(answer)

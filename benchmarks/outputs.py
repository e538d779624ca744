"""Jobs in notebooks without a kernel: how soon a view is painted, and how a notebook full of views opens, both against
pictures of the same size."""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

import qpi_jupyter
from qpi_jupyter.ui.bundle import finished
from tests.support.waiting import wait_until
from tests.ui.jupyterlab import Notebooks

from .browser import DEMO, browser, jupyterlab, loaded
from .harness import BELL, Figure, median_ratio

VIEWS, PAINTS = 200, 60
PAINT_MS, MOST = 100.0, 1.3
Output = dict[str, Any]
SHOWN = {
    "views": ".jp-QPI-Output section[data-status=completed] .jp-QPI-Bar",
    "pictures": ".jp-RenderedImage img",
}  # fmt: skip
"""What is in the page for each output: of a view its two bars."""
ALL = """
const frame = () => new Promise(requestAnimationFrame);
const seen = selector => [...document.querySelectorAll(selector)].filter(one => one.complete ?? true).length;
const painted = async (selector, count) => {
  while (seen(selector) < count) await frame();
  await frame();
};
"""
OPEN = f"""async ([path, selector, count]) => {{ {ALL}
  const kernelPreference = {{ shouldStart: false, autoStartDefault: false }};
  const began = performance.now();
  await window.jupyterapp.commands.execute('docmanager:open', {{ path, factory: 'Notebook', kernelPreference }});
  await painted(selector, count);
  return performance.now() - began;
}}"""
PAINT = f"""async ([outputs, selector, each]) => {{ {ALL}
  const [cell] = window.jupyterapp.shell.currentWidget.content.widgets;
  const took = [];
  for (const data of outputs) {{
    cell.outputArea.model.clear();
    while (seen(selector) > 0) await frame();
    const began = performance.now();
    cell.outputArea.model.add({{ output_type: 'display_data', data, metadata: {{}} }});
    await painted(selector, each);
    took.push(performance.now() - began);
  }}
  return took;
}}"""


def run(*, quick: bool) -> Iterator[Figure]:
    """Of jobs that the lab has, too: it is asked for all of them while they are drawn."""
    with jupyterlab(DEMO) as notebooks:
        views = asyncio.run(_finished(notebooks, VIEWS // 4 if quick else VIEWS))
        with browser() as running:
            outputs = {"views": views, "pictures": [_picture(running, notebooks, views[0])] * len(views)}
            yield _paint(running, notebooks, outputs)
            yield _opening(running, notebooks, outputs, 3 if quick else 9)


async def _finished(notebooks: Notebooks, count: int) -> list[Output]:
    """The outputs of so many jobs, as a notebook keeps them."""
    lab = qpi_jupyter.connect(f"{notebooks.url}/", token=notebooks.token)
    try:
        wait_until(lambda: {"online"} == {qpu.status for qpu in lab.qpus()}, 90, "QPUs online")
        jobs = [lab.submit(BELL, qpu="sim-a", shots=100, name=f"bell {n}") for n in range(count)]
        for job in jobs:
            job.counts()
        return [await finished(job) for job in jobs]
    finally:
        lab.close()


def _picture(browser: Browser, notebooks: Notebooks, view: Output) -> Output:
    """A picture of a view."""
    page = _page(browser.new_context(viewport={"width": 1200, "height": 900}), notebooks)
    _open(page, notebooks, "views", [view])
    drawn = page.locator(".jp-QPI-Output").screenshot()
    page.context.close()
    return {"image/png": base64.b64encode(drawn).decode(), "text/plain": "a job"}


def _paint(browser: Browser, notebooks: Notebooks, outputs: dict[str, list[Output]]) -> Figure:
    """One output after the other into the first cell of an open notebook."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    first: dict[str, float] = {}
    found: dict[str, list[float]] = {}
    for kind in SHOWN:
        page = _page(context, notebooks)
        first[kind] = _open(page, notebooks, kind, outputs[kind][:1])
        found[kind] = page.evaluate(PAINT, [outputs[kind][:PAINTS], SHOWN[kind], _each(kind)])
        page.close()
    context.close()
    late = {kind: statistics.quantiles(took, n=20)[-1] for kind, took in found.items()}
    return Figure(
        name="a view's first paint without a kernel (p95)", ratio=late["views"], goal=PAINT_MS, ours=late["views"],
        bare=late["pictures"], unit=" ms a picture",
        note=f"a notebook with one opens in {first['views']:.0f} ms, with a picture in {first['pictures']:.0f} ms",
    )  # fmt: skip


def _opening(browser: Browser, notebooks: Notebooks, outputs: dict[str, list[Output]], pairs: int) -> Figure:
    """Both notebooks in turn, each in a page that has just been loaded."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    times: dict[str, list[float]] = {kind: [] for kind in SHOWN}
    for _ in range(pairs + 1):
        for kind, took in times.items():
            page = _page(context, notebooks)
            took.append(_open(page, notebooks, kind, outputs[kind]) / 1000)
            page.close()
    context.close()
    # The first of each fills the browser's cache
    views, pictures = times["views"][1:], times["pictures"][1:]
    count = len(outputs["views"])
    return Figure(
        name=f"a notebook with {count} finished views opens, against pictures", ratio=median_ratio(views, pictures),
        goal=MOST, ours=statistics.median(views), bare=statistics.median(pictures), unit=" s",
    )  # fmt: skip


def _page(context: BrowserContext, notebooks: Notebooks) -> Page:
    page = context.new_page()
    loaded(page, notebooks)
    return page


def _open(page: Page, notebooks: Notebooks, kind: str, outputs: list[Output]) -> float:
    """How long it takes until all outputs of a notebook are on the page (ms)."""
    name = f"{kind}-{len(outputs)}.ipynb"
    cells = [
        {
            "cell_type": "code", "id": f"cell-{n}", "metadata": {}, "execution_count": 1, "source": "job",
            "outputs": [{"output_type": "display_data", "metadata": {}, "data": data}],
        }
        for n, data in enumerate(outputs)
    ]  # fmt: skip
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    (notebooks.folder / name).write_text(json.dumps(document, default=str))
    took: float = page.evaluate(OPEN, [name, SHOWN[kind], _each(kind) * len(outputs)])
    return took


def _each(kind: str) -> int:
    return 2 if kind == "views" else 1

"""Widgets of the lab in a real JupyterLab: alone, in a box, after their kernel, and in the saved file."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.ui.jupyterlab import Notebooks, open_notebook, run_all, save

pytestmark = pytest.mark.ui
BELL = """
import ipywidgets, qpi_jupyter
lab = qpi_jupyter.connect()
BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
job = lab.submit(BELL, qpu="sim-b", shots=500, name="bell")
widget = job.widget()
seen = []
widget.observe(lambda change: seen.append(change["new"]), "status")
ipywidgets.HBox([widget])
"""


def test_a_box_of_widgets_is_live_and_leaves_pictures(page_of_demo: Page, demo: tuple[Notebooks, int]) -> None:
    page, (notebooks, _) = page_of_demo, demo
    name = notebooks.write("widgets.ipynb", BELL, "await job\nprint(seen, dict(widget.result.sizes))")
    open_notebook(page, name)
    run_all(page)
    widget = page.locator(".jp-QPI-JobWidget")
    expect(widget.get_by_role("heading", name="bell")).to_be_visible(timeout=60_000)
    expect(widget.locator(".jp-QPI-JobHead")).to_contain_text("completed", timeout=60_000)
    page.screenshot(path="/tmp/w1.png")
    page.wait_for_timeout(3000)
    save(page)
    data = notebooks.read(name)["cells"][0]["outputs"][0]["data"]
    print(json.dumps({k: str(v)[:300] for k, v in data.items()}, indent=1))
    print(notebooks.read(name)["cells"][1]["outputs"])
    page.evaluate("() => window.jupyterapp.serviceManager.sessions.shutdownAll()")
    page.wait_for_timeout(2000)
    page.screenshot(path="/tmp/w2.png")
    page.reload()
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
    page.wait_for_timeout(5000)
    page.screenshot(path="/tmp/w3.png")

"""Widgets of the lab in a real JupyterLab: in a box, after their kernel is gone, and in the saved file."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import Notebooks, open_notebook, run_all, save

pytestmark = pytest.mark.ui
BOX = """
import ipywidgets
import qpi_jupyter
lab = qpi_jupyter.connect()
BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'
job = lab.submit(BELL, qpu="sim-b", shots=500, name="bell")
ipywidgets.HBox([job.widget()])
"""
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
ERROR = "Error displaying widget"


def data_of(notebooks: Notebooks, name: str) -> dict[str, str]:
    """The output of the first cell as it was saved, by media type."""
    data = notebooks.read(name)["cells"][0]["outputs"][0]["data"]
    return {kind: value if isinstance(value, str) else json.dumps(value) for kind, value in data.items()}


def saved(page: Page, notebooks: Notebooks, name: str) -> dict[str, str] | None:
    """The same, once it shows how the job ended."""
    save(page)
    data = data_of(notebooks, name)
    return data if "finished" in data["text/plain"] or "completed" in data["text/plain"] else None


def test_a_box_of_widgets_is_live_and_leaves_pictures(page_of_demo: Page, demo: tuple[Notebooks, int]) -> None:
    page, (notebooks, _) = page_of_demo, demo
    name = notebooks.write("widgets.ipynb", BOX)
    open_notebook(page, name)
    run_all(page)
    job = page.locator(".jp-QPI-JobWidget")
    expect(job.get_by_role("heading", name="bell")).to_be_visible(timeout=120_000)
    expect(job.get_by_text("completed")).to_be_visible(timeout=60_000)
    expect(job.get_by_role("list", name="Counts")).to_be_visible(timeout=30_000)
    data = wait_until(lambda: saved(page, notebooks, name))
    assert {"text/html", "application/vnd.qpi.widget+json"} <= set(data)
    # Nothing looks for the widget where this file is opened without the lab's extension.
    assert "application/vnd.jupyter.widget-view+json" not in data

    # The kernel is gone, and the picture is there.
    page.evaluate(SHUT_DOWN)
    expect(job).to_have_count(0, timeout=30_000)
    expect(page.locator(".jp-QPI-Display")).to_contain_text("bell")
    save(page)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.close()")
    open_notebook(page, name)
    expect(page.locator(".jp-QPI-Display")).to_contain_text("bell", timeout=60_000)
    expect(page.get_by_text(ERROR)).to_be_hidden()

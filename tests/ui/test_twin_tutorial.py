"""The second tutorial in a real browser: a Rabi curve of a chip's twin grows in its cell, and is fitted."""

from __future__ import annotations

import shutil

import pytest
from playwright.sync_api import Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import ROOT, Notebooks, open_notebook, run_all, save
from tests.ui.labs import client_of, ok

pytestmark = [pytest.mark.ui, pytest.mark.slow]
NOTEBOOK = ROOT / "notebooks" / "03_rabi_on_a_twin.ipynb"
SLOW = 120_000


def test_a_rabi_curve_grows_in_its_cell(page_of_demo: Page, demo: tuple[Notebooks, int]) -> None:
    page, (notebooks, _) = page_of_demo, demo
    with client_of(notebooks) as client:
        ok(client.post("simulators", json={"name": "twin", "executor": "qblox"}))
        wait_until(lambda: ok(client.get("qpus/twin"))["status"] == "online", what="the start of the twin")
        page.set_viewport_size({"width": 1200, "height": 6000})  # JupyterLab keeps only what is in view on the page
        shutil.copy(NOTEBOOK, notebooks.folder)
        open_notebook(page, NOTEBOOK.name)
        run_all(page)
        growing = page.locator(".jp-QPI-Output section[data-status=running]")
        expect(growing.get_by_role("img", name="over theta")).to_be_visible(timeout=SLOW)
        expect(page.get_by_text("a full turn is 6.283 rad")).to_be_visible(timeout=SLOW)
        expect(page.get_by_role("img", name="over theta").first).to_be_visible()
        # The last cell's plot: the notebook is at its end.
        expect(page.locator(".jp-CodeCell").last.locator(".jp-RenderedImage img")).to_be_visible(timeout=SLOW)
        save(page)
        saved = notebooks.read(NOTEBOOK.name)
        errors = [o for cell in saved["cells"] for o in cell.get("outputs", []) if o["output_type"] == "error"]
        assert errors == []
        ok(client.delete("simulators/twin"))

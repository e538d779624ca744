"""Widgets of the lab in a real JupyterLab: in a box, after their kernel is gone, and in the saved file."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import ROOT, Notebooks, change_theme, open_notebook, run_all, save

pytestmark = pytest.mark.ui
GUIDE = ROOT / "docs" / "how-to" / "widgets.md"
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
    text = data["text/plain"]
    return data if "Completed" in text and "driver/cpu:" in text and "64" in text else None


@pytest.mark.slow
def test_a_box_of_widgets_is_live_and_leaves_pictures(page_of_demo: Page, demo: tuple[Notebooks, int]) -> None:
    page, (notebooks, _) = page_of_demo, demo
    name = notebooks.write("widgets.ipynb", *re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    open_notebook(page, name)
    run_all(page)
    job = page.locator(".jp-QPI-JobWidget")
    expect(job.get_by_role("heading", name="bell")).to_be_visible(timeout=120_000)
    expect(job.get_by_text("Completed")).to_be_visible(timeout=60_000)
    expect(job.get_by_role("list", name="Counts")).to_be_visible(timeout=30_000)
    form = page.get_by_role("form", name="Submit a job")
    form.get_by_label("Shots").fill("64")
    form.get_by_label("Shots").press("Enter")
    expect(form.get_by_role("status").first).to_contain_text("Submitted: from the form", timeout=60_000)
    expect(job.get_by_role("heading", name="from the form")).to_be_visible(timeout=60_000)
    expect(job.get_by_text("Completed")).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-QPI-TelemetryWidget .jp-QPI-ChartPlot").first).to_be_visible(timeout=60_000)
    expect(page.locator(".jp-QPI-TelemetryWidget")).to_contain_text("driver/cpu")
    for theme, ground in (("Dark", "rgb(33, 33, 33)"), ("Light", "rgb(255, 255, 255)")):
        change_theme(page, f"JupyterLab {theme}")
        for widget in (".jp-QPI-JobWidget", ".jp-QPI-SubmitForm", ".jp-QPI-TelemetryWidget"):
            expect(page.locator(widget)).to_have_css("background-color", ground)
    data = wait_until(lambda: saved(page, notebooks, name))
    assert {"text/html", "application/vnd.qpi.widget+json"} <= set(data)
    # Nothing looks for the widget where this file is opened without the lab's extension.
    assert "application/vnd.jupyter.widget-view+json" not in data
    assert "data:image/png;base64," in data["text/html"]

    # The kernel is gone, and the picture is there.
    page.evaluate(SHUT_DOWN)
    expect(job).to_have_count(0, timeout=30_000)
    picture = page.locator(".jp-QPI-Display")
    expect(picture).to_contain_text("from the form")
    expect(picture.get_by_alt_text("driver/cpu")).to_be_visible()
    save(page)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.close()")
    open_notebook(page, name)
    expect(picture).to_contain_text("from the form", timeout=60_000)
    expect(picture.get_by_alt_text("driver/cpu")).to_be_visible()
    expect(page.get_by_text(ERROR)).to_be_hidden()

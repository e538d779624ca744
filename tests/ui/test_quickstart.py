"""The quick-start notebook in a real browser, on a real demo lab: the first thing a newcomer sees.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.jupyterlab import ROOT, Notebooks, change_theme, open_notebook, run_all, save

pytestmark = pytest.mark.ui
QUICKSTART = ROOT / "notebooks" / "01_quickstart.ipynb"
IMAGES = ROOT / "docs" / "images"
LONG = """
%%qpi_submit --qpu sim-a --shots 200 --name ladder
from qiskit import QuantumCircuit
from qiskit.circuit.library import real_amplitudes

ladder = []
for n in range(200):
    circuit = real_amplitudes(15, reps=12).assign_parameters([0.01 * (n + k) for k in range(195)])
    circuit.measure_all()
    ladder.append(circuit)
ladder
"""


@contextmanager
def unplugged(server: int, name: str) -> Iterator[None]:
    """The QPU's driver is silent meanwhile."""
    drivers = [
        child for child in psutil.Process(server).children(recursive=True)
        if "qpi_agent" in child.cmdline() and name in child.cmdline()
    ]  # fmt: skip
    assert drivers
    for driver in drivers:
        driver.suspend()
    try:
        yield
    finally:
        for driver in drivers:
            driver.resume()


def picture(page: Page, view: Locator, name: str) -> None:
    """The view in both themes, for the documentation."""
    for theme in ("Dark", "Light"):
        change_theme(page, f"JupyterLab {theme}")
        if os.environ.get("QPI_SCREENSHOTS"):
            IMAGES.mkdir(parents=True, exist_ok=True)
            view.screenshot(path=IMAGES / f"job-{name}-{theme.lower()}.png")
        expect(view).to_be_visible()


def outputs(notebook: dict[str, object], kind: str) -> Iterator[dict[str, object]]:
    for cell in notebook["cells"]:  # type: ignore[attr-defined]
        for output in cell.get("outputs", []):
            if output["output_type"] == kind:
                yield output


def test_the_quickstart_runs_from_top_to_bottom(page_of_demo: Page, demo: tuple[Notebooks, int]) -> None:
    page, (notebooks, server) = page_of_demo, demo
    # JupyterLab keeps only what is in view on the page.
    page.set_viewport_size({"width": 1200, "height": 4500})
    shutil.copy(QUICKSTART, notebooks.folder)
    open_notebook(page, QUICKSTART.name)
    with unplugged(server, "sim-a"):
        run_all(page)
        view = page.locator(".jp-QPI-Output section").first
        expect(view).to_have_attribute("data-status", "pending", timeout=60_000)
        expect(view).to_have_accessible_name("Job bell")
        expect(view).to_contain_text("sim-a is offline", timeout=60_000)
        picture(page, view, "waiting")

    expect(view).to_have_attribute("data-status", "completed", timeout=60_000)
    expect(view.locator(".jp-QPI-Bar")).to_have_count(2)
    picture(page, view, "finished")
    iq = page.locator(".jp-QPI-Output section").nth(1)
    expect(iq.get_by_role("img", name="IQ plane")).to_be_visible(timeout=120_000)
    picture(page, iq, "iq")
    table = page.locator(".jp-RenderedHTMLCommon caption", has_text="Jobs")
    expect(table).to_be_visible(timeout=60_000)
    # The side panel tells the same.
    page.locator('[data-id="qpi-lab-panel"]').click()
    expect(page.locator('.jp-QPI-Row[data-key="sim-a"]')).to_contain_text("Online")
    expect(page.locator(".jp-QPI-Row", has_text="bell")).to_contain_text("Completed")
    if os.environ.get("QPI_SCREENSHOTS"):
        page.set_viewport_size({"width": 1280, "height": 1000})
        page.locator(".jp-WindowedPanel-outer").first.evaluate("element => element.scrollTo(0, 260)")
        expect(view.locator(".jp-QPI-Bar")).to_have_count(2)
        page.screenshot(path=IMAGES / "quickstart.png")
    save(page)
    saved = notebooks.read(QUICKSTART.name)
    assert not list(outputs(saved, "error"))
    assert not [o for o in outputs(saved, "stream") if "Error" in "".join(o["text"])]  # type: ignore[call-overload]


@pytest.mark.slow
def test_a_long_job_shows_its_progress_and_can_be_cancelled(page_of_demo: Page, demo: tuple[Notebooks, int]) -> None:
    page, (notebooks, _) = page_of_demo, demo
    open_notebook(page, notebooks.write("long.ipynb", "%load_ext qpi_jupyter", LONG))
    run_all(page)
    view = page.locator(".jp-QPI-Output section").first
    expect(view).to_have_attribute("data-status", "running", timeout=90_000)
    expect(view.get_by_role("progressbar")).to_be_visible()
    picture(page, view, "running")
    view.get_by_role("button", name="Cancel").click()
    expect(view).to_have_attribute("data-status", "cancelled", timeout=30_000)


def test_the_pictures_of_the_documentation_are_there() -> None:
    states, themes = ("waiting", "running", "finished", "iq"), ("dark", "light")
    expected = {f"job-{state}-{theme}.png" for state in states for theme in themes}
    assert expected | {"quickstart.png"} <= {path.name for path in IMAGES.glob("*.png")}

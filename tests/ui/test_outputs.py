"""Jobs in notebooks, drawn and kept up to date by the page: a whole lab, real kernels, and kernels that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from qpi_jupyter.wire.outputs import JOB_OUTPUT
from tests.ui.jupyterlab import Notebooks, loaded, open_notebook, run_all, save
from tests.ui.labs import BELL, HEAVY, Demo, demo_lab, picture

pytestmark = [pytest.mark.ui, pytest.mark.slow]
SLOW = 60_000
SUBMIT = "%%qpi_submit --qpu sim-a --shots 100 --name"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("outputs"), "--JupyterNotebookApp.expose_app_in_browser=True") as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def view(page: Page, job: str) -> Locator:
    """The output of a job, by its name."""
    return page.locator(f'.jp-NotebookPanel:visible .jp-QPI-Output section[aria-label="Job {job}"]')


def outputs_of(notebooks: Notebooks, name: str) -> list[dict[str, Any]]:
    """What the file has of its jobs."""
    cells = notebooks.read(name)["cells"]
    found = [output.get("data", {}) for cell in cells for output in cell["outputs"]]
    return [data for data in found if JOB_OUTPUT in data]


def switch(demo: Demo, *, on: bool) -> None:
    """What is for sim-b waits, or goes on."""
    demo.ask("PATCH", "qpus/sim-b", {"enabled": on})


def opened(page: Page, demo: Demo, name: str) -> None:
    """The notebook in a fresh JupyterLab, without a kernel."""
    page.goto(f"{demo.notebooks.url}/lab/tree/{name}?token={demo.notebooks.token}&reset")
    page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=SLOW)


def test_a_walk_through_restarts_of_everything(lab: Page, demo: Demo) -> None:
    """The kernel restarts, the page reloads and closes; the jobs end, and the server restarts, before it comes back."""
    switch(demo, on=False)
    queued = "%%qpi_submit --qpu sim-b --shots 100 --name"
    cells = [
        "%load_ext qpi_jupyter", f"{SUBMIT} slow\n{HEAVY}", f"{queued} second\n{BELL}", f"{queued} third\n{BELL}",
    ]  # fmt: skip
    open_notebook(lab, demo.notebooks.write("walk.ipynb", *cells))
    run_all(lab)
    expect(view(lab, "slow")).to_have_attribute("data-status", "running", timeout=SLOW)
    expect(view(lab, "third")).to_contain_text("position 2", timeout=SLOW)
    picture(lab, "walk-running")

    lab.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    view(lab, "slow").get_by_role("button", name="Cancel job slow").click()
    expect(view(lab, "slow")).to_have_attribute("data-status", "cancelled", timeout=SLOW)
    save(lab)
    assert [data[JOB_OUTPUT]["job"]["status"] for data in outputs_of(demo.notebooks, "walk.ipynb")] == [
        "cancelled", "pending", "pending",
    ]  # fmt: skip

    lab.reload()
    expect(view(lab, "slow")).to_have_attribute("data-status", "cancelled", timeout=SLOW)
    view(lab, "second").get_by_role("button", name="Cancel job second").click(timeout=SLOW)
    expect(view(lab, "second")).to_have_attribute("data-status", "cancelled", timeout=SLOW)
    expect(view(lab, "third")).to_contain_text("position 1", timeout=SLOW)
    assert lab.get_by_text("Error displaying widget").count() == 0

    lab.goto("about:blank")
    switch(demo, on=True)
    job = demo.ask("GET", "jobs?name=third")["jobs"][0]["id"]
    assert demo.ended(job) == "completed"
    demo.kill()
    demo.start_again()
    opened(lab, demo, "walk.ipynb")
    expect(view(lab, "third").locator(".jp-QPI-Bar")).to_have_count(2, timeout=SLOW)
    assert lab.get_by_text("Error displaying widget").count() == 0
    picture(lab, "walk-again")
    save(lab)
    last = outputs_of(demo.notebooks, "walk.ipynb")[-1]
    assert last[JOB_OUTPUT]["job"]["status"] == "completed"
    assert "completed" in "".join(last["text/plain"])
    assert "<table" in "".join(last["text/html"])

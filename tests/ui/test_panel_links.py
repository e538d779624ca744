"""From a job to the notebook cell that submitted it, and from the cell's output to the job: with a real kernel."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.jupyterlab import loaded, open_notebook, run_all, save
from tests.ui.labs import BELL, Demo, demo_lab, execute, picture

pytestmark = [pytest.mark.ui, pytest.mark.slow]
CELL = f"%%qpi_submit --qpu sim-a --shots 50\n{BELL}"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("links")) as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def submitted(lab: Page, demo: Demo, name: str) -> tuple[Locator, str]:
    """A notebook in a folder whose second cell has submitted a job: its view, and its id."""
    (demo.notebooks.folder / "runs").mkdir(exist_ok=True)
    open_notebook(lab, demo.notebooks.write(f"runs/{name}", "%load_ext qpi_jupyter", CELL))
    run_all(lab)
    view = lab.locator(".jp-NotebookPanel:visible .jp-QPI-Output [data-status=completed]")
    expect(view).to_be_visible(timeout=60_000)
    save(lab)
    newest = demo.ask("GET", "jobs?limit=1")["jobs"][0]
    return view, str(newest["id"])


def test_both_ways(lab: Page, demo: Demo) -> None:
    view, job = submitted(lab, demo, "both.ipynb")
    view.get_by_role("button", name="Open job").click()
    tab = lab.locator(f"#qpi-job-{job}")
    expect(tab.get_by_role("heading", level=1)).to_be_visible()
    picture(lab, "job-of-notebook")
    tab.get_by_role("button", name="Show the notebook cell").click()
    expect(lab.locator(".jp-Cell.jp-mod-active", has_text="%%qpi_submit")).to_be_in_viewport(timeout=20_000)


def test_a_notebook_that_was_renamed_or_deleted_is_said_to_be_gone(lab: Page, demo: Demo) -> None:
    _, job = submitted(lab, demo, "first.ipynb")
    execute(lab, "application:close")
    folder = demo.notebooks.folder / "runs"
    (folder / "first.ipynb").rename(folder / "second.ipynb")
    execute(lab, "qpi:open-job", id=job)
    lab.locator(f"#qpi-job-{job}").get_by_role("button", name="Show the notebook cell").click()
    toast = lab.locator(".jp-Notification-Toast, .Toastify__toast").last
    expect(toast).to_contain_text("it was renamed, moved or deleted", timeout=15_000)
    assert "first.ipynb" in toast.inner_text()


def test_a_cell_that_was_deleted_is_said_to_be_gone(lab: Page, demo: Demo) -> None:
    _, job = submitted(lab, demo, "cells.ipynb")
    lab.evaluate("() => window.jupyterapp.commands.execute('notebook:delete-cell')")
    expect(lab.locator(".jp-NotebookPanel:visible .jp-CodeCell")).to_have_count(1)
    execute(lab, "qpi:open-job", id=job)
    lab.locator(f"#qpi-job-{job}").get_by_role("button", name="Show the notebook cell").click()
    toast = lab.locator(".jp-Notification-Toast, .Toastify__toast").last
    expect(toast).to_contain_text("no longer has the cell that submitted the job", timeout=15_000)

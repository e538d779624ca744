"""Jobs in notebooks, drawn and kept up to date by the page: a whole lab, real kernels, and kernels that are gone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.ui.jupyterlab import change_theme, loaded, open_notebook, run_all
from tests.ui.labs import BELL, Demo, demo_lab, picture

pytestmark = pytest.mark.ui


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("outputs")) as found:
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def test_one(lab: Page, demo: Demo) -> None:
    cells = ["%load_ext qpi_jupyter", f"%%qpi_submit --qpu sim-a --name bell --job job\n{BELL}",
             f"%%qpi_submit --qpu sim-b --meas-level 1 --shots 300\n{BELL}", "job"]
    open_notebook(lab, demo.notebooks.write("one.ipynb", *cells))
    run_all(lab)
    views = lab.locator(".jp-QPI-Output")
    expect(views.nth(2).locator(".jp-QPI-Bar")).to_have_count(2, timeout=60_000)
    expect(views.nth(1).locator("svg")).to_be_visible(timeout=60_000)
    picture(lab, "one-light")
    change_theme(lab, "JupyterLab Dark")
    picture(lab, "one-dark")

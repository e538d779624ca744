"""Previews in a real browser, of a pulse executor in a real lab: the submit form's button, and a cell's output."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import change_theme, loaded, open_notebook, run_all
from tests.ui.labs import BELL, Demo, demo_lab, execute, picture

pytestmark = [pytest.mark.ui, pytest.mark.slow]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("previews")) as found:
        found.ask("POST", "simulators", {"name": "chip", "executor": "qblox"})
        wait_until(lambda: found.ask("GET", "qpus/chip")["status"] == "online", 120, "the chip online")
        yield found


@pytest.fixture
def lab(page: Page, demo: Demo) -> Iterator[Page]:
    yield from loaded(page, demo.notebooks)


def assert_zooms(preview: Locator, page: Page) -> None:
    """By button, key and wheel; and back."""
    status, timeline = preview.get_by_role("status"), preview.get_by_label("Pulse timeline")
    whole = status.inner_text()
    preview.get_by_role("button", name="Zoom in").click()
    expect(status).not_to_have_text(whole)
    closer = status.inner_text()
    timeline.focus()
    page.keyboard.press("+")
    expect(status).not_to_have_text(closer)
    page.keyboard.press("0")
    expect(status).to_have_text(whole)
    timeline.hover()
    page.mouse.wheel(0, -200)
    expect(status).not_to_have_text(whole)
    preview.get_by_role("button", name="Show all").click()
    expect(status).to_have_text(whole)


def test_the_submit_form_previews_a_file_before_it_runs(lab: Page, demo: Demo) -> None:
    (demo.notebooks.folder / "bell.qasm").write_text(BELL)
    execute(lab, "filebrowser:activate")
    execute(lab, "filebrowser:refresh")
    lab.locator(".jp-DirListing-item", has_text="bell.qasm").click(button="right")
    lab.get_by_role("menuitem", name="Submit to QPU…").click()
    dialog = lab.get_by_role("dialog")
    dialog.get_by_label("QPU").select_option("chip")
    dialog.get_by_role("button", name="Preview").click()
    preview = dialog.get_by_label("Preview on chip")
    expect(preview).to_contain_text("after a reset of 250 µs", timeout=120_000)
    expect(preview.get_by_label("Circuit drawing")).to_be_visible()
    assert_zooms(preview, lab)
    for theme in ("Dark", "Light"):
        change_theme(lab, f"JupyterLab {theme}")
        picture(lab, f"preview-form-{theme.lower()}")
    dialog.get_by_label("Shots").fill("50")
    expect(preview).to_have_count(0)
    dialog.get_by_label("QPU").select_option("sim-a")
    dialog.get_by_role("button", name="Preview").click()
    expect(dialog.get_by_label("Preview on sim-a").get_by_label("Circuit drawing")).to_be_visible(timeout=60_000)
    dialog.get_by_role("button", name="Cancel").click()
    assert demo.ask("GET", "jobs")["jobs"] == []


def test_a_preview_in_a_notebook_is_drawn_by_the_panel(lab: Page, demo: Demo) -> None:
    cells = ["%load_ext qpi_jupyter", f"%%qpi_preview --qpu chip --shots 200\n{BELL}"]
    open_notebook(lab, demo.notebooks.write("preview.ipynb", *cells))
    run_all(lab)
    preview = lab.get_by_label("Preview on chip")
    expect(preview.get_by_label("Pulse timeline")).to_be_visible(timeout=120_000)
    assert_zooms(preview, lab)
    for theme in ("Dark", "Light"):
        change_theme(lab, f"JupyterLab {theme}")
        picture(lab, f"preview-cell-{theme.lower()}")


def test_the_form_in_a_notebook_previews_what_stands_in_it(lab: Page, demo: Demo) -> None:
    cells = [f"import qpi_jupyter\nqpi_jupyter.connect().submit_form({BELL!r}, qpu='sim-a', shots=10)"]
    open_notebook(lab, demo.notebooks.write("form.ipynb", *cells))
    run_all(lab)
    form = lab.locator(".jp-QPI-SubmitForm")
    form.get_by_role("button", name="Preview").click(timeout=60_000)
    preview = form.get_by_label("Preview on sim-a")
    expect(preview.get_by_label("Circuit drawing")).to_be_visible(timeout=60_000)
    picture(lab, "preview-widget")
    form.get_by_label("Shots").fill("20")
    expect(preview).to_have_count(0)

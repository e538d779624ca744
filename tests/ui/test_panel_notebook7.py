"""The panel in Jupyter Notebook 7, whose pages hold one document each: tabs open in JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.ui.labs import BELL, Demo, demo_lab, execute, picture, side_panel

pytestmark = [pytest.mark.ui, pytest.mark.slow]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    page_of_its_own = "--JupyterNotebookApp.expose_app_in_browser=True"
    with demo_lab(tmp_path_factory.mktemp("notebook7"), page_of_its_own) as found:
        yield found


def errors_of_ours(page: Page) -> list[str]:
    """Uncaught errors, and plugins that did not start, with the panel in them. (Notebook 7 has errors of its own.)"""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(error.stack or str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type == "error" else None)
    return found


def opened(page: Page, demo: Demo, path: str) -> list[str]:
    errors = errors_of_ours(page)
    page.goto(f"{demo.notebooks.url}/{path}?token={demo.notebooks.token}")
    page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('qpi:open-panel')", timeout=60_000)
    page.evaluate("() => window.jupyterapp.restored")
    return errors


def of_ours(errors: list[str]) -> list[str]:
    return [error for error in errors if "qpi" in error]


def test_the_side_panel_is_in_the_tree_and_its_tabs_open_in_jupyterlab(page: Page, demo: Demo) -> None:
    errors = opened(page, demo, "tree")
    page.get_by_role("menuitem", name="Quantum", exact=True).click()
    page.locator(".lm-Menu-item", has_text="Quantum Lab Panel").click()
    panel = page.locator("#qpi-lab-panel")
    expect(panel.locator(".jp-QPI-Card").first).to_be_visible()
    job = demo.submit("seen in the tree")
    expect(panel.locator(".jp-QPI-Row", has_text="seen in the tree")).to_contain_text("Completed", timeout=30_000)
    picture(page, "notebook7-tree")
    with page.context.expect_page() as there:
        panel.get_by_role("button", name="seen in the tree").click()
    lab = there.value
    expect(lab.locator(f"#qpi-job-{job}").get_by_role("heading", level=1)).to_have_text(
        "seen in the tree", timeout=60_000
    )
    lab.close()
    assert of_ours(errors) == []


def test_the_side_panel_is_in_a_notebook_and_commands_work(page: Page, demo: Demo) -> None:
    demo.notebooks.write("plain.ipynb", "1 + 1")
    errors = opened(page, demo, "notebooks/plain.ipynb")
    side_panel(page)
    page.wait_for_selector(".jp-CodeCell")
    execute(page, "qpi:insert-job")
    expect(page.locator(".jp-CodeCell")).to_have_count(3)
    for command, args, tab in (
        ("qpi:open-queue", {}, "qpi-queue"),
        ("qpi:open-calendar", {}, "qpi-calendar"),
        ("qpi:open-admin", {}, "qpi-admin"),
        ("qpi:open-qpu", {"qpu": "sim-b"}, "qpi-qpu-sim-b"),
    ):
        with page.context.expect_page() as there:
            execute(page, command, **args)
        expect(there.value.locator(f"#{tab}")).to_be_visible(timeout=60_000)
        there.value.close()
    picture(page, "notebook7-notebook")
    assert of_ours(errors) == []


def test_a_file_is_submitted_from_the_tree(page: Page, demo: Demo) -> None:
    (demo.notebooks.folder / "pair.qasm").write_text(BELL)
    errors = opened(page, demo, "tree")
    page.locator('.jp-DirListing-item[data-file-type="openqasm"]').click(button="right")
    page.get_by_role("menuitem", name="Submit to QPU…").click()
    page.get_by_role("dialog").get_by_role("button", name="Submit").click()
    panel = side_panel(page)
    expect(panel.locator(".jp-QPI-Row", has_text="pair")).to_contain_text("Completed", timeout=30_000)
    assert of_ours(errors) == []

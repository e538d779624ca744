"""The panel for people who see, read or point otherwise: axe-core on all of it, at 200 % zoom, in a narrow column.

axe-core comes with the Python package axe-playwright-python: these tests then need no Node, only what `make setup`
installs anyway.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.ui.conftest import change_theme, loaded
from tests.ui.seeds import BENCH, CHIP, Lab, seeded_lab

pytestmark = [pytest.mark.ui, pytest.mark.slow]
SIDE, CALENDAR, QUEUE, ADMIN = "#qpi-lab-panel", "#qpi-calendar", "#qpi-queue", "#qpi-admin"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with seeded_lab(tmp_path_factory.mktemp("access")) as running:
        yield running


@pytest.fixture
def panel(page: Page, lab: Lab) -> Iterator[Page]:
    for ready in loaded(page, lab.notebooks):
        # JupyterLab's body has no height and hides what flows over, in which axe-core takes all text to be hidden.
        ready.add_style_tag(content="body { height: 100vh }")
        ready.locator('[data-id="qpi-lab-panel"]').click()
        expect(ready.locator(".jp-QPI-Card")).to_have_count(4)
        yield ready


def execute(page: Page, command: str, **args: str) -> None:
    page.evaluate("([id, args]) => { void window.jupyterapp.commands.execute(id, args) }", [command, args])


def surfaces(page: Page, lab: Lab) -> Iterator[tuple[str, str]]:
    """All that the panel shows, one after the other: what it is, and the selector of its root."""
    yield "side panel", SIDE
    yield "status bar", ".jp-QPI-Status"
    yield "launcher", ".jp-LauncherCard[data-category='Quantum lab']"
    yield from submit_dialog(page, lab)
    yield from calendar(page)
    yield from queue(page)
    for state in ("completed", "failed", "running", "pending"):
        yield from job(page, lab.jobs[state], state)
    for qpu in (CHIP, "sim-a", BENCH):
        yield from chip(page, qpu)
    yield from sections(page, "qpi:open-admin", ADMIN)
    yield from sections(page, "qpi:open-account", "#qpi-account")


def submit_dialog(page: Page, lab: Lab) -> Iterator[tuple[str, str]]:
    (lab.notebooks.folder / "bell.qasm").write_text("OPENQASM 3.0;\n")
    execute(page, "qpi:submit-file", path="bell.qasm")
    expect(page.get_by_role("dialog").get_by_label("Shots")).to_be_visible()
    yield "submit dialog", ".jp-QPI-Submit"
    page.keyboard.press("Escape")


def calendar(page: Page) -> Iterator[tuple[str, str]]:
    execute(page, "qpi:open-calendar")
    tab = page.locator(CALENDAR)
    expect(tab.locator(".jp-QPI-Booking").first).to_be_visible(timeout=20_000)
    for view in ("Day", "Agenda", "Week"):
        tab.get_by_role("button", name=view, exact=True).click()
        yield f"calendar, {view}", CALENDAR
    tab.get_by_role("button", name="Later").click()
    expect(tab.locator(".jp-QPI-Booking")).to_have_count(3)
    tab.locator(".jp-QPI-Booking").first.click()
    page.keyboard.press("Enter")
    expect(tab.get_by_role("dialog", name="Booking")).to_be_visible()
    yield "calendar, a booking", CALENDAR
    page.keyboard.press("Escape")
    yield from clash(page, tab)
    tab.get_by_role("button", name="Subscribe…").click()
    tab.get_by_role("button", name="New address").click()
    expect(tab.get_by_label("The address, shown only now")).to_be_visible()
    yield "calendar, subscribing", CALENDAR
    page.keyboard.press("Escape")
    tab.get_by_role("button", name="Keys").click()
    yield "calendar, its keys", CALENDAR
    page.keyboard.press("Escape")
    tab.get_by_role("button", name="Today").click()


def clash(page: Page, tab: Locator) -> Iterator[tuple[str, str]]:
    """Asking for what is booked already: nine o'clock of next week's Monday, on sim-a."""
    page.keyboard.press("Shift+Tab")
    tab.get_by_role("region", name="Calendar").focus()
    for key in ("ArrowDown", "Shift+Enter"):
        page.keyboard.press(key)
    dialog = tab.get_by_role("dialog", name="Book a QPU")
    dialog.get_by_label("QPU").select_option("sim-a")
    dialog.get_by_role("button", name="Book").click()
    expect(dialog.get_by_role("button", name="Take")).to_be_visible()
    yield "calendar, a clash", CALENDAR
    page.keyboard.press("Escape")


def queue(page: Page) -> Iterator[tuple[str, str]]:
    execute(page, "qpi:open-queue")
    tab = page.locator(QUEUE)
    expect(tab.locator('[role="row"][data-key]').first).to_be_visible(timeout=20_000)
    page.keyboard.press("ArrowDown")
    yield "queue", QUEUE
    search = tab.get_by_role("searchbox", name="Search by name")
    search.fill("nothing is called so")
    expect(tab.get_by_text("No job is like that")).to_be_visible()
    yield "queue, nothing found", QUEUE
    tab.get_by_role("button", name="Clear filters").first.click()
    tab.get_by_role("textbox", name="Only jobs with this tag").fill("calibration")
    page.keyboard.press("Enter")
    expect(tab.locator('[role="row"][data-key]')).to_have_count(1)
    yield "queue, filtered", QUEUE
    tab.get_by_role("button", name="Clear filters").first.click()


def job(page: Page, job_id: str, state: str) -> Iterator[tuple[str, str]]:
    execute(page, "qpi:open-job", id=job_id)
    tab = page.locator(f"#qpi-job-{job_id}")
    expect(tab.get_by_role("region", name="Story")).to_be_visible(timeout=20_000)
    expect(tab.get_by_role("region", name="Program").locator(".cm-content")).to_be_visible()
    yield f"job, {state}", f"#qpi-job-{job_id}"
    tab.get_by_role("button", name="Edit name").click()
    yield f"job, {state}, edited", f"#qpi-job-{job_id}"
    tab.get_by_role("button", name="Leave as it is").click()


def chip(page: Page, qpu: str) -> Iterator[tuple[str, str]]:
    execute(page, "qpi:open-qpu", qpu=qpu)
    root = f'[id="qpi-qpu-{qpu}"]'
    tab = page.locator(root)
    expect(tab.get_by_role("region", name="Drivers")).to_be_visible(timeout=20_000)
    if qpu == CHIP:
        tab.locator('.jp-QPI-Qubit[data-key="0"]').click()
        tab.locator(".jp-QPI-Selected").get_by_title("History of T1, qubit 0").click()
        expect(tab.locator(".jp-QPI-History canvas")).to_be_visible()
    yield f"QPU {qpu[:8]}", root


def sections(page: Page, command: str, root: str) -> Iterator[tuple[str, str]]:
    """Every section, with what can be made new and the first row's questions open, one at a time."""
    execute(page, command)
    tab = page.locator(root)
    expect(tab.get_by_role("tab").first).to_be_visible(timeout=20_000)
    for section in tab.get_by_role("tab").all():
        section.click()
        name = section.inner_text()
        expect(tab.get_by_role("tabpanel", name=name).get_by_role("heading").first).to_be_visible()
        expect(tab.get_by_text("Loading…")).to_have_count(0)
        yield name, root
        for place in (".jp-QPI-AdminHead", "tr[data-key]"):
            for opener in tab.locator(place).first.locator("button[aria-expanded]").all():
                opener.click()
                yield f"{name}, {opener.inner_text()}", root


def violations(axe: Axe, page: Page, where: str, root: str) -> list[str]:
    """What axe-core has against the elements below ``root``, a line each."""
    found: list[dict[str, Any]] = axe.run(page, context=root).response["violations"]
    return [
        f"{where}: {rule['impact']} {rule['id']}: {node['target']}\n    {node['html']}\n    {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


def test_axe_sees_the_colours(panel: Page) -> None:
    panel.add_style_tag(content=".jp-QPI-Empty { color: var(--jp-layout-color2) }")
    assert "color-contrast" in "".join(violations(Axe(), panel, "side panel", SIDE))


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_nothing_on_any_tab(panel: Page, lab: Lab, theme: str) -> None:
    change_theme(panel, f"JupyterLab {theme}")
    axe = Axe()
    found: list[str] = []
    seen = []
    for where, root in surfaces(panel, lab):
        seen.append(where)
        found += violations(axe, panel, where, root)
    assert len(seen) > 40
    assert not found, "\n".join(found)

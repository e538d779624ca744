"""The side panel in a real browser, on a real demo lab: a job seen running, a server that dies and comes back.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import ROOT, change_theme, loaded
from tests.ui.labs import BELL, HEAVY, Demo, demo_lab, picture

pytestmark = pytest.mark.ui
IMAGES = ROOT / "docs" / "images"

KEPT = """async () => {
  const {values} = await window.jupyterapp.serviceManager.workspaces.list();
  return values.some(({data}) => (data['qpi-jupyter:side:closed'] ?? []).includes('time')
    && data['layout-restorer:data']?.left?.current === 'qpi-lab-panel');
}"""
"""JupyterLab has saved the section and the layout."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with demo_lab(tmp_path_factory.mktemp("side")) as found:
        yield found


@pytest.fixture
def lab_page(page: Page, demo: Demo) -> Iterator[Page]:
    for lab in loaded(page, demo.notebooks):
        lab.locator('[data-id="qpi-lab-panel"]').click()
        expect(lab.locator(".jp-QPI-Card").first).to_be_visible()
        yield lab


def panel(page: Page) -> Locator:
    return page.locator("#qpi-lab-panel")


def test_the_glance(lab_page: Page, demo: Demo) -> None:
    start = datetime.now(UTC) + timedelta(hours=1)
    slot = {"start_at": start.isoformat(), "end_at": (start + timedelta(hours=1)).isoformat()}
    demo.ask("POST", "bookings", {"qpu": "sim-b", "title": "Tune-up", **slot})
    told = demo.ask("POST", "notices", {"title": "Cool-down <b>tonight</b>", "body": "Fridge 2 is warm until 22:00."})
    demo.submit("bell", BELL)

    side = panel(lab_page)
    card = side.locator('.jp-QPI-Card[data-key="sim-a"]')
    expect(card).to_contain_text("Online")
    expect(card).to_contain_text("No upcoming bookings")
    expect(side.locator('.jp-QPI-Card[data-key="sim-b"]')).to_contain_text("Free until")
    job = side.locator(".jp-QPI-Row", has_text="bell")
    expect(job).to_contain_text("Completed", timeout=30_000)
    expect(side.get_by_role("timer")).to_contain_text(re.compile(r"begins in (1 h|5\d min)"))
    expect(side.locator('[data-section="time"]')).to_contain_text("used")
    notice = side.locator(".jp-QPI-Notice")
    expect(notice).to_contain_text("Cool-down <b>tonight</b>")  # shown, not run
    demo.ask("PATCH", f"notices/{told['id']}", {"title": "Cool-down tonight"})
    expect(notice).to_contain_text("Cool-down tonight")
    take_pictures(lab_page)

    notice.get_by_role("button", name="Dismiss").click()
    expect(notice).to_have_count(0)
    assert demo.ask("GET", "notices")["notices"] == []
    side.get_by_role("button", name="Release").click()
    lab_page.get_by_role("dialog").get_by_role("button", name="Release").click()
    expect(side.locator('[data-section="booking"]')).to_contain_text("No upcoming bookings")


def test_a_job_runs_before_ones_eyes_and_is_cancelled(lab_page: Page, demo: Demo) -> None:
    demo.submit("heavy", HEAVY)
    job = panel(lab_page).locator(".jp-QPI-Row", has_text="heavy")
    expect(job).to_contain_text("Running", timeout=30_000)
    expect(job.get_by_role("progressbar")).to_be_visible()
    expect(lab_page.locator(".jp-QPI-Status")).to_contain_text("1 running")
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("Cancelled", timeout=30_000)
    expect(lab_page.locator(".jp-Notification-Toast, .Toastify__toast").first).to_contain_text("heavy was cancelled")


def test_many_short_jobs_are_one_notification(lab_page: Page, demo: Demo) -> None:
    expect(panel(lab_page).locator(".jp-QPI-Row").first).to_be_visible()
    jobs = [demo.submit(f"short {number}") for number in range(8)]
    assert {demo.ended(job) for job in jobs} == {"completed"}
    toasts = lab_page.locator(".Toastify__toast")
    expect(toasts).to_contain_text("Jobs: 8 completed.", timeout=30_000)
    expect(toasts).to_have_count(1)
    picture(lab_page, "notification")


def test_sections_stay_as_they_were_left(lab_page: Page, demo: Demo) -> None:
    heading = panel(lab_page).get_by_role("button", name="My QPU time")
    heading.focus()
    lab_page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-expanded", "false")
    wait_until(lambda: bool(lab_page.evaluate(KEPT)), 20, "the section and the layout saved")
    lab_page.goto(f"{demo.notebooks.url}/lab")
    expect(heading).to_have_attribute("aria-expanded", "false", timeout=60_000)


def test_a_qasm_file_is_submitted_from_the_file_browser(lab_page: Page, demo: Demo) -> None:
    (demo.notebooks.folder / "ghz.qasm").write_text(BELL)
    lab_page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:activate')")
    lab_page.evaluate("() => window.jupyterapp.commands.execute('filebrowser:refresh')")
    lab_page.locator('.jp-DirListing-item[data-file-type="openqasm"]').click(button="right")
    lab_page.get_by_role("menuitem", name="Submit to QPU…").click()
    dialog = lab_page.get_by_role("dialog")
    dialog.get_by_label("QPU").select_option("sim-b")
    dialog.get_by_label("Shots").fill("321")
    dialog.get_by_role("button", name="Submit").click()
    lab_page.locator('[data-id="qpi-lab-panel"]').click()
    expect(panel(lab_page).locator(".jp-QPI-Row", has_text="ghz")).to_contain_text("Completed", timeout=30_000)
    submitted = next(job for job in demo.ask("GET", "jobs?mine=true")["jobs"] if job["name"] == "ghz")
    assert (submitted["qpu"], submitted["shots"]) == ("sim-b", 321)


def test_a_qasm_file_is_highlighted(lab_page: Page, demo: Demo) -> None:
    (demo.notebooks.folder / "look.qasm").write_text(BELL)
    lab_page.evaluate("() => { void window.jupyterapp.commands.execute('docmanager:open', {path: 'look.qasm'}) }")
    line = lab_page.locator(".cm-line", has_text="OPENQASM")
    expect(line.locator("span").first).to_have_text("OPENQASM", timeout=20_000)


@pytest.mark.slow
def test_a_dead_server_is_told_and_found_again(page: Page, demo: Demo) -> None:
    # Without a server JupyterLab itself throws: only here its errors are none of the test's.
    next(loaded(page, demo.notebooks))
    page.locator('[data-id="qpi-lab-panel"]').click()
    side = panel(page)
    expect(side.locator(".jp-QPI-Card").first).to_be_visible()
    demo.kill()
    note = side.locator('.jp-QPI-Connection[data-connection="lost"]')
    expect(note).to_contain_text(re.compile(r"Connection lost, last seen \d?\d:\d\d"), timeout=30_000)
    expect(side.locator('.jp-QPI-Card[data-key="sim-a"]')).to_be_visible()
    demo.start_again()
    expect(note).to_have_count(0, timeout=40_000)
    expect(side.locator('.jp-QPI-Card[data-key="sim-a"]')).to_contain_text("Online", timeout=30_000)


def take_pictures(page: Page) -> None:
    """The whole window in both themes, for the documentation."""
    if not os.environ.get("QPI_SCREENSHOTS"):
        return
    IMAGES.mkdir(parents=True, exist_ok=True)
    for theme in ("Dark", "Light"):
        change_theme(page, f"JupyterLab {theme}")
        expect(panel(page).locator(".jp-QPI-Card").first).to_be_visible()
        page.screenshot(path=IMAGES / f"panel-side-{theme.lower()}.png")

"""One lab as its people use it: a researcher and a second user by servers of their own, which forward with a plain
user's token, and the manager of the lab. Real servers, a real driver, a real browser; what the screen says is checked
through REST."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import Notebooks, loaded
from tests.ui.labs import GHZ, HEAVY, agent, board_row, client_of, demo_lab, forwarding, ok, section, signed_up

pytestmark = [pytest.mark.ui, pytest.mark.slow]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The lab's own JupyterLab, its manager's view of it, and a token of each plain user."""

    notebooks: Notebooks
    admin: httpx.Client
    rosa: str
    pat: str


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with demo_lab(tmp_path_factory.mktemp("walk")) as demo:
        rosa, pat = signed_up(demo.client, "rosa"), signed_up(demo.client, "pat")
        yield Lab(notebooks=demo.notebooks, admin=demo.client, rosa=rosa, pat=pat)


def card(page: Page, name: str) -> None:
    """Press a card of the launcher."""
    page.locator(".jp-LauncherCard", has_text=name).click()


def panel(page: Page) -> Locator:
    shown = page.locator("#qpi-lab-panel")
    if not shown.is_visible():
        page.locator('[data-id="qpi-lab-panel"]').click()
    return shown


def submit_file(page: Page, name: str, qpu: str, shots: int) -> None:
    """From the file browser, by the context menu."""
    file = page.locator(".jp-DirListing-item", has_text=name)
    if not file.is_visible():
        page.locator('[data-id="filebrowser"]').click()
    file.click(button="right")
    page.get_by_role("menuitem", name="Submit to QPU…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("QPU").select_option(qpu)
    dialog.get_by_label("Shots").fill(str(shots))
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog).to_have_count(0)


def drag(page: Page, start: datetime, end: datetime) -> None:
    """With the mouse, from one time of the calendar to another of that day."""
    lane = page.locator(f'.jp-QPI-Grid [role="cell"][data-date="{start:%Y-%m-%d}"]').bounding_box()
    assert lane is not None
    x = lane["x"] + lane["width"] / 2
    tops = [lane["y"] + lane["height"] * (at.hour + at.minute / 60) / 24 + 10 for at in (start, end)]
    page.mouse.move(x, tops[0])
    page.mouse.down()
    page.mouse.move(x, sum(tops) / 2, steps=4)
    page.mouse.move(x, tops[1], steps=4)
    page.mouse.up()


def named(client: httpx.Client, name: str) -> dict[str, Any]:
    """My job of that name."""
    (found,) = [job["id"] for job in ok(client.get("jobs?mine=true"))["jobs"] if job["name"] == name]
    return dict(ok(client.get(f"jobs/{found}")))


def test_a_researcher_books_submits_watches_reads_and_cancels(page: Page, lab: Lab, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 1280, "height": 1400})
    with forwarding(lab.notebooks, lab.rosa, tmp_path) as hers, client_of(hers) as rosa:
        for name, source in (("ghz.qasm", GHZ), ("heavy.qasm", HEAVY)):
            (hers.folder / name).write_text(source)
        for lab_page in loaded(page, hers):
            books(lab_page, rosa)
            reads(lab_page, rosa)
            cancels(lab_page, rosa)


def books(page: Page, rosa: httpx.Client) -> None:
    card(page, "Calendar")
    page.get_by_role("button", name="Later").click()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    tuesday = today + timedelta(days=8 - today.weekday())
    drag(page, tuesday + timedelta(hours=9), tuesday + timedelta(hours=10.5))
    dialog = page.get_by_role("dialog", name="Book a QPU")
    dialog.get_by_label("Title").fill("Rabi")
    dialog.get_by_role("button", name="Book").click()
    expect(page.locator(".jp-QPI-Booking", has_text="Rabi").first).to_be_visible()
    (booking,) = ok(rosa.get("bookings?status=booked&mine=true"))["bookings"]
    assert datetime.fromisoformat(booking["start_at"]) == tuesday + timedelta(hours=9)
    assert (booking["booked_by"], booking["title"]) == ("rosa", "Rabi")


def reads(page: Page, rosa: httpx.Client) -> None:
    """A job from a file, watched from the side panel, read in its own tab."""
    submit_file(page, "ghz.qasm", "sim-a", 600)
    row = panel(page).locator(".jp-QPI-Row", has_text="ghz")
    expect(row).to_contain_text("Completed", timeout=30_000)
    row.get_by_role("button", name="ghz").click()
    bars = page.get_by_role("list", name="Counts").locator("li")
    expect(bars).to_have_count(2)
    assert sum(named(rosa, "ghz")["counts"][0].values()) == 600


def cancels(page: Page, rosa: httpx.Client) -> None:
    submit_file(page, "heavy.qasm", "sim-a", 4000)
    row = panel(page).locator(".jp-QPI-Row", has_text="heavy")
    expect(row).to_contain_text("Running", timeout=30_000)
    expect(row.get_by_role("progressbar")).to_be_visible()
    row.get_by_role("button", name="Cancel").click()
    expect(row).to_contain_text("Cancelled", timeout=30_000)
    assert named(rosa, "heavy")["status"] == "cancelled"


def test_a_manager_brings_a_qpu_grants_time_and_tells_everybody(page: Page, lab: Lab, tmp_path: Path) -> None:
    with client_of(lab.notebooks, lab.rosa) as rosa:
        ok(rosa.post("time-requests", json={"seconds": 5400, "reason": "T1 sweep"}))
    for lab_page in loaded(page, lab.notebooks):
        card(lab_page, "Administration")
        command = registers(lab_page)
        with agent(command, tmp_path):
            drivers = lab_page.locator(".jp-QPI-AdminSection")
            expect(board_row(drivers, "fridge-1").locator("[data-tone=online]")).to_be_visible(timeout=40_000)
            runs_a_job(lab, "fridge")
        approves(lab_page, lab)
        keeps_in_maintenance(lab_page, lab)
        broadcasts(lab_page, lab)


def registers(page: Page) -> str:
    """The command line that the panel shows for a new driver of a new QPU."""
    qpus = section(page, "QPUs")
    qpus.get_by_role("button", name="Register a QPU").click()
    qpus.get_by_label("Name").fill("fridge")
    qpus.get_by_role("button", name="Register", exact=True).click()
    expect(board_row(qpus, "fridge")).to_contain_text("Offline")
    drivers = section(page, "Drivers")
    drivers.get_by_role("button", name="Register a driver").click()
    drivers.get_by_label("Name").fill("fridge-1")
    drivers.get_by_label("QPU", exact=True).select_option("fridge")
    drivers.get_by_label("Executor", exact=True).select_option("mock")
    drivers.get_by_label("Allow a simulator").check()
    drivers.get_by_role("button", name="Register", exact=True).click()
    return drivers.get_by_role("textbox", name="Command line").input_value()


def runs_a_job(lab: Lab, qpu: str) -> None:
    """What was started by hand is a QPU like any other."""
    body = {"program": {"format": "openqasm3", "sources": [GHZ]}, "qpu": qpu, "options": {"shots": 100}}
    with client_of(lab.notebooks, lab.rosa) as rosa:
        job = ok(rosa.post("jobs", json=body))
        assert ok(rosa.get(f"jobs/{job['id']}?wait_s=30"))["status"] == "completed"


def approves(page: Page, lab: Lab) -> None:
    requests = section(page, "Time requests")
    requests.get_by_role("button", name="Approve: rosa").click()
    requests.get_by_role("button", name="Approve", exact=True).click()
    expect(board_row(requests, "rosa")).to_contain_text("Approved")
    assert ok(lab.admin.get("accounts/rosa"))["balance_s"] > 5000


def keeps_in_maintenance(page: Page, lab: Lab) -> None:
    qpus = section(page, "QPUs")
    qpus.get_by_role("button", name="Maintenance: sim-b").click()
    qpus.get_by_role("button", name="Set maintenance").click()
    expect(board_row(qpus, "sim-b")).to_contain_text("In maintenance")
    assert ok(lab.admin.get("qpus/sim-b"))["status"] == "maintenance"


def broadcasts(page: Page, lab: Lab) -> None:
    notices = section(page, "Notices")
    notices.get_by_role("button", name="New notice").click()
    notices.get_by_label("Title").fill("Helium on Monday")
    notices.get_by_label("Text").fill("All QPUs stop at nine.")
    notices.get_by_role("button", name="Broadcast", exact=True).click()
    expect(board_row(notices, "Helium on Monday")).to_be_visible()
    with client_of(lab.notebooks, lab.pat) as pat:
        wait_until(lambda: bool(ok(pat.get("notices"))["notices"]), 10, "the notice")


def test_a_second_user_sees_what_is_theirs_and_nothing_else(page: Page, lab: Lab, tmp_path: Path) -> None:
    program = {"format": "openqasm3", "sources": [GHZ]}
    with client_of(lab.notebooks, lab.rosa) as rosa:
        secret = ok(rosa.post("jobs", json={"program": program, "qpu": "sim-a", "name": "rosas-secret"}))["id"]
        assert ok(rosa.get(f"jobs/{secret}?wait_s=30"))["status"] == "completed"
    with forwarding(lab.notebooks, lab.pat, tmp_path) as theirs, client_of(theirs) as pat:
        mine = ok(pat.post("jobs", json={"program": program, "qpu": "sim-a", "name": "pats-own"}))["id"]
        for lab_page in loaded(page, theirs):
            expect(lab_page.locator(".jp-LauncherCard", has_text="Calendar")).to_be_visible()
            expect(lab_page.locator(".jp-LauncherCard", has_text="Administration")).to_have_count(0)
            side = panel(lab_page)
            expect(side.locator(".jp-QPI-Row", has_text="pats-own")).to_contain_text("Completed", timeout=30_000)
            expect(side).not_to_contain_text("rosas-secret")
            card(lab_page, "Job Queue")
            jobs = lab_page.locator("#qpi-queue")
            jobs.get_by_label("Whose").select_option("all")
            expect(jobs.locator(f'[role="row"][data-key="{mine}"]')).to_be_visible()
            expect(jobs.locator(f'[role="row"][data-key="{secret}"]')).to_have_count(0)
            lab_page.evaluate("id => { void window.jupyterapp.commands.execute('qpi:open-job', {id}) }", secret)
            expect(lab_page.locator(f"#qpi-job-{secret}").get_by_role("alert")).to_contain_text("no job")
        assert pat.get(f"jobs/{secret}").status_code == 404
        assert pat.get(f"jobs/{secret}/result").status_code == 404
        assert pat.post(f"jobs/{secret}/cancel").status_code == 404
        assert pat.get("audit").status_code == 403
        assert ok(pat.get("jobs"))["jobs"][0]["id"] == mine

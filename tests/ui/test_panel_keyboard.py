"""What a researcher and a manager do in the panel, by keyboard alone: no pointer, and no focus set by the test.

Each deed is checked where it counts, in the lab; and after each the focus is somewhere in the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from tests.support.waiting import wait_until
from tests.ui.jupyterlab import loaded
from tests.ui.labs import ok
from tests.ui.seeds import BENCH, CHIP, GHZ, Lab, seeded_lab, status_of, submit

pytestmark = [pytest.mark.ui, pytest.mark.slow]
FOCUSED = """() => {
  const at = document.activeElement;
  if (at === null || at === document.body) return null;
  const label = at.labels?.[0]?.firstChild?.textContent;
  return (at.getAttribute('aria-label') ?? label ?? at.innerText ?? '').trim();
}"""
MOST_TABS = 150
PARTS_OF_A_DATE = 6
"""The stops that a field of a date and a time has beside its first."""

STOP = """root => {
  const shown = element => [element, ...element.querySelectorAll(':scope > circle, :scope > line')].map(part => {
    const {outlineStyle, outlineWidth, outlineColor, boxShadow, stroke, strokeWidth} = getComputedStyle(part);
    const outline = outlineStyle === 'none' || outlineWidth === '0px' ? '' : outlineWidth + outlineColor;
    return [outline, boxShadow, stroke, strokeWidth].join();
  }).join();
  // The label around a box says where the focus is, if not the box itself.
  const parts = element => [element, ...(element.labels ?? [])].map(shown).join();
  const last = window.lastStop;
  const at = document.activeElement;
  // A field of a date is a stop for each of its parts.
  const same = last && last.at !== at && last.at.isConnected && parts(last.at) === last.style;
  const unseen = same ? last.at.outerHTML.slice(0, 120) : null;
  const inside = document.querySelector(root).contains(at);
  window.lastStop = inside ? {at, style: parts(at)} : null;
  return {inside, unseen};
}"""
"""Whether the focus is inside, and what the stop before is called if it looked the same with the focus as without."""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with seeded_lab(tmp_path_factory.mktemp("keyboard")) as running:
        (running.notebooks.folder / "ghz.qasm").write_text(GHZ)
        yield running


@pytest.fixture
def panel(page: Page, lab: Lab) -> Iterator[Page]:
    yield from loaded(page, lab.notebooks)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page, name: str | re.Pattern[str]) -> None:
    """Wait until the focus is on what is called so."""

    def there() -> bool:
        at = page.evaluate(FOCUSED)
        return at is not None and bool(name.search(at) if isinstance(name, re.Pattern) else at == name)

    wait_until(there, 15, f"the focus on {name!r}, not on {page.evaluate(FOCUSED)!r}")


def reach(page: Page, name: str | re.Pattern[str], key: str = "Tab") -> None:
    """Go on with a key until the focus is on what is called so."""
    walked = []
    for _ in range(MOST_TABS):
        page.keyboard.press(key)
        at = page.evaluate(FOCUSED)
        walked.append(at)
        if at is not None and (name.search(at) if isinstance(name, re.Pattern) else at == name):
            return
    raise AssertionError(f"{key} does not reach {name!r}, only {walked}")


def choose(page: Page, command: str) -> None:
    """A command from the palette."""
    press(page, "Control+Shift+c")
    expect(page.locator(".lm-CommandPalette-input")).to_be_focused()
    page.keyboard.type(command)
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text(command)
    press(page, "Enter")
    expect(page.locator(".lm-CommandPalette-input")).not_to_be_visible()


def open_section(page: Page, name: str) -> None:
    choose(page, "Lab Administration")
    expect(page.locator("#qpi-admin [role=tab][aria-selected=true]")).to_be_focused()
    reach(page, name, "ArrowDown")


def kept(page: Page) -> None:
    """The focus is somewhere, and stays there."""
    wait_until(lambda: page.evaluate(FOCUSED) is not None, 10, "the focus anywhere")


def named(lab: Lab, name: str) -> list[str]:
    return [job["id"] for job in ok(lab.admin.get("jobs?mine=true&limit=100"))["jobs"] if job["name"] == name]


def test_time_is_booked_read_and_given_back(panel: Page, lab: Lab) -> None:
    def found() -> list[str]:
        return [one["title"] for one in ok(lab.admin.get("bookings?status=booked"))["bookings"]]

    choose(panel, "Calendar")
    focused(panel, "Calendar")
    to_saturday = (5 - datetime.now(UTC).weekday()) % 7  # on which nobody has booked anything
    press(panel, "ArrowDown", "PageDown", "PageDown", *["ArrowRight"] * to_saturday, "Shift+ArrowDown", "Enter")
    expect(panel.get_by_role("dialog", name="Book a QPU")).to_be_visible()
    reach(panel, "Title")
    panel.keyboard.type("by keys")
    press(panel, "Enter")
    focused(panel, "Calendar")
    assert "by keys" in found()
    press(panel, "Enter")
    expect(panel.get_by_role("dialog", name="Booking")).to_be_visible()
    reach(panel, "Delete")
    press(panel, "Enter")
    focused(panel, "Calendar")
    wait_until(lambda: "by keys" not in found(), 10, "the booking deleted")


def test_a_file_is_submitted_watched_and_its_result_opened(panel: Page, lab: Lab) -> None:
    reach(panel, "ghz.qasm", "Shift+Tab")
    press(panel, "ArrowDown")
    choose(panel, "Submit to QPU")
    focused(panel, "QPU")
    panel.keyboard.type("sim-b")
    reach(panel, "Shots")
    press(panel, "Control+a")
    panel.keyboard.type("321")
    press(panel, "Enter")
    job = wait_until(lambda: named(lab, "ghz"), 15, "the job in the lab")[0]
    choose(panel, "Quantum Lab Panel")
    focused(panel, "Quantum lab")
    expect(panel.locator("#qpi-lab-panel .jp-QPI-Row", has_text="ghz")).to_contain_text("Completed", timeout=30_000)
    assert (status_of(lab.admin, job), ok(lab.admin.get(f"jobs/{job}"))["shots"]) == ("completed", 321)
    reach(panel, "ghz")
    press(panel, "Enter")
    expect(panel.get_by_role("list", name="Counts").locator("li")).to_have_count(2)
    reach(panel, "Counts CSV")
    with panel.expect_download():
        press(panel, "Enter")


def test_another_job_is_cancelled_in_the_queue_and_in_its_tab(panel: Page, lab: Lab) -> None:
    for name in ("needle", "thread"):
        job = submit(lab.admin, name, qpu=BENCH)
        choose(panel, "Job Queue")
        focused(panel, "Jobs")
        expect(panel.locator(f'[role="row"][data-key="{job}"]')).to_be_visible()
        press(panel, "Home", "Delete" if name == "needle" else "Enter")
        if name == "thread":
            expect(panel.get_by_role("heading", level=1, name=name)).to_be_visible()
            reach(panel, "Cancel")
            press(panel, "Enter")
        expect(panel.get_by_role("dialog")).to_contain_text("Cancel the job?")
        press(panel, "Enter")
        assert status_of(lab.admin, job, wait_s=20) == "cancelled"
        kept(panel)


def test_a_notice_is_dismissed(panel: Page, lab: Lab) -> None:
    def left() -> int:
        return len(ok(lab.admin.get("notices"))["notices"])

    before = left()
    choose(panel, "Quantum Lab Panel")
    focused(panel, "Quantum lab")
    for n in range(1, before + 1):
        reach(panel, re.compile("^Dismiss the notice"), "Tab" if n == 1 else "Shift+Tab")
        press(panel, "Enter")
        wait_until(lambda n=n: left() == before - n, 10, "one notice less")
        expect(panel.locator(".jp-QPI-Notice")).to_have_count(before - n)
        kept(panel)
        press(panel, "Tab")


def test_a_driver_is_registered_and_its_command_line_copied(panel: Page, lab: Lab) -> None:
    panel.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_section(panel, "Drivers")
    reach(panel, "Register a driver")
    press(panel, "Enter")
    focused(panel, "Name")
    panel.keyboard.type("second")
    reach(panel, "QPU")
    panel.keyboard.type(CHIP)
    executor = panel.get_by_label("Executor", exact=True)
    expect(executor.locator("option[value=mock]")).to_be_attached(timeout=40_000)
    reach(panel, "Executor")
    panel.keyboard.type("mock")
    expect(executor).to_have_value("mock")
    reach(panel, "Register")
    press(panel, "Enter")
    focused(panel, "Driver second registered")
    reach(panel, "Copy: Command line")
    press(panel, "Enter")
    assert panel.evaluate("() => navigator.clipboard.readText()").startswith("qpi-agent start")
    drivers = {driver["name"]: driver["qpu"] for driver in ok(lab.admin.get("drivers"))["drivers"]}
    assert drivers["second"] == CHIP
    reach(panel, "Done")
    press(panel, "Enter")
    expect(panel.get_by_text("Driver second registered")).to_have_count(0)
    kept(panel)
    reach(panel, "Revoke: second")
    press(panel, "Enter")
    focused(panel, "Type second to confirm")
    panel.keyboard.type("second")
    press(panel, "Enter")
    expect(panel.locator("tr[data-key=second]")).to_have_count(0)
    kept(panel)


def test_a_request_for_time_is_approved(panel: Page, lab: Lab) -> None:
    def answered() -> list[object]:
        (request,) = ok(lab.pat.get("time-requests"))["requests"]
        return [request["status"], request["granted_s"]]

    open_section(panel, "Time requests")
    reach(panel, "Approve: pat")
    press(panel, "Enter")
    focused(panel, "Grant")
    press(panel, "Control+a")
    panel.keyboard.type("30 min")
    press(panel, "Enter")
    wait_until(lambda: answered() == ["approved", 1800], 10, "the time granted")
    expect(panel.get_by_text("Pending")).to_have_count(0)
    kept(panel)


def test_maintenance_is_set_and_ended(panel: Page, lab: Lab) -> None:
    def state() -> str:
        return str(ok(lab.admin.get("qpus/sim-b"))["status"])

    choose(panel, "Lab Administration")
    reach(panel, "Maintenance: sim-b")
    press(panel, "Enter")
    focused(panel, "Set maintenance")
    press(panel, "Enter")
    focused(panel, "End maintenance: sim-b")
    assert state() == "maintenance"
    press(panel, "Enter")
    focused(panel, "Maintenance: sim-b")
    assert state() == "online"


def test_a_notice_is_broadcast_and_deleted(panel: Page, lab: Lab) -> None:
    def titles() -> list[str]:
        return [notice["title"] for notice in ok(lab.pat.get("notices"))["notices"]]

    open_section(panel, "Notices")
    reach(panel, "New notice")
    press(panel, "Enter")
    focused(panel, "Title")
    panel.keyboard.type("Helium on Monday")
    reach(panel, "Broadcast")
    press(panel, "Enter")
    focused(panel, "New notice")
    assert "Helium on Monday" in titles()
    reach(panel, "Delete: Helium on Monday")
    press(panel, "Enter")
    expect(panel.get_by_role("button", name="Delete: Helium on Monday")).to_have_count(0)
    assert "Helium on Monday" not in titles()
    kept(panel)


def tabs(lab: Lab) -> Iterator[tuple[str, Callable[[Page], None]]]:
    """The selector of each tab, and what opens it."""
    yield "#qpi-lab-panel", lambda page: choose(page, "Quantum Lab Panel")
    yield "#qpi-calendar", lambda page: choose(page, "Calendar")
    yield "#qpi-queue", lambda page: choose(page, "Job Queue")
    yield "#qpi-admin", lambda page: choose(page, "Lab Administration")
    job = lab.jobs["completed"]
    yield f"#qpi-job-{job}", lambda page: execute(page, "qpi:open-job", id=job)
    yield f"#qpi-qpu-{CHIP}", lambda page: execute(page, "qpi:open-qpu", qpu=CHIP)


def execute(page: Page, command: str, **args: str) -> None:
    page.evaluate("([id, args]) => { void window.jupyterapp.commands.execute(id, args) }", [command, args])


def walk(page: Page, root: str, key: str, unseen: list[str]) -> int:
    """Through all of a tab and out of it; how many stops it has, and in ``unseen`` those that looked like nothing."""
    stops = 0
    inside = True
    while inside:
        press(page, key)
        stop = page.evaluate(STOP, root)
        inside = stop["inside"]
        if stop["unseen"]:
            unseen.append(f"{root}: {stop['unseen']}")
        stops += 1
        assert stops < MOST_TABS, f"{key} has no way out of {root}: {page.evaluate(FOCUSED)}"
    return stops


def test_every_stop_of_the_tab_key_shows_its_focus_and_none_is_a_trap(panel: Page, lab: Lab) -> None:
    unseen: list[str] = []
    for root, opening in tabs(lab):
        opening(panel)
        expect(panel.locator(f"{root} button").first).to_be_visible()
        panel.wait_for_function("root => document.querySelector(root)?.contains(document.activeElement)", arg=root)
        for key in ("Shift+Tab", "Tab"):
            stops = walk(panel, root, key, unseen)
        assert stops > 3, root
    assert not unseen, unseen


def test_every_field_of_a_form_shows_its_focus(panel: Page, lab: Lab) -> None:
    unseen: list[str] = []
    choose(panel, "Calendar")
    focused(panel, "Calendar")
    press(panel, "ArrowDown", "PageDown", "PageDown", "Enter")
    focused(panel, "QPU")
    fields(panel, ".jp-QPI-Modal", unseen)
    press(panel, "Escape")
    open_section(panel, "Notices")
    reach(panel, "New notice")
    press(panel, "Enter")
    focused(panel, "Title")
    fields(panel, ".jp-QPI-AdminForm", unseen)
    execute(panel, "qpi:open-job", id=lab.jobs["completed"])
    reach(panel, re.compile("^Edit name"))
    press(panel, "Enter")
    focused(panel, "Name")
    fields(panel, ".jp-QPI-JobForm", unseen)
    assert not unseen, unseen


def fields(page: Page, form: str, unseen: list[str]) -> None:
    """Through all fields and buttons of a form, of which the first has the focus."""
    count = page.locator(f"{form} :is(input, select, textarea, button)").count()
    assert count > 3
    dates = page.locator(f"{form} [type=datetime-local]").count()
    for _ in range(count + PARTS_OF_A_DATE * dates):
        if name := page.evaluate(STOP, form)["unseen"]:
            unseen.append(f"{form}: {name}")
        press(page, "Tab")

"""The panel for people who see, read or point otherwise: axe-core on all of it, at 200 % zoom, in a narrow column.

axe-core comes with the Python package axe-playwright-python: these tests then need no Node, only what `make setup`
installs anyway.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.ui.jupyterlab import change_theme, loaded
from tests.ui.seeds import BENCH, CHIP, Lab, seeded_lab

pytestmark = [pytest.mark.ui, pytest.mark.slow]
YELLOW = "#ffff99"
FLAWS = """selector => {
  const root = document.querySelector(selector);
  const wide = ['Grid', 'TableFrame', 'Circuit', 'Code', 'LogLines', 'ChartPlot'].map(n => '.jp-QPI-' + n).join();
  const name = element => `${element.tagName} ${element.className} "${(element.textContent ?? '').slice(0, 40)}"`;
  const flaws = [];
  const all = [root, ...root.querySelectorAll('*')].filter(one => one.checkVisibility() && !one.closest(wide));
  const clips = element => /hidden|clip|auto|scroll/.test(getComputedStyle(element).overflowX);
  // A dialog is on top of everything: what is around it in the document does not clip it.
  const frames = element => {
    const own = element.closest('dialog') ?? root;
    const around = [element];
    while (around[0] !== own) around.unshift(around[0].parentElement);
    return around.filter(clips).map(frame => frame.getBoundingClientRect());
  };
  const seen = element => frames(element).reduce((box, frame) => ({
    left: Math.max(box.left, frame.left), right: Math.min(box.right, frame.right),
    top: Math.max(box.top, frame.top), bottom: Math.min(box.bottom, frame.bottom),
  }), element.getBoundingClientRect());
  for (const element of all) {
    const {overflowX, transitionDuration, animationName} = getComputedStyle(element);
    if (/auto|scroll/.test(overflowX) && element.scrollWidth > element.clientWidth + 1) {
      flaws.push(`scrolls sideways: ${name(element)}`);
    }
    const still = /^(0s(, )?)+$/.test(transitionDuration) && animationName === 'none';
    if (!still && /jp-QPI/.test(element.className)) flaws.push(`moves: ${name(element)}`);
    const text = [...element.childNodes].find(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!text || element.closest('[title], .jp-QPI-Hidden, thead, option, textarea')) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const {left, right} = range.getBoundingClientRect();
    if (frames(element).some(frame => left < frame.left - 1 || right > frame.right + 1)) {
      flaws.push(`is cut off: ${name(element)}`);
    }
  }
  const stops = all.filter(one => one.matches('a[href], button, input, select, textarea'));
  for (const [index, one] of stops.entries()) {
    for (const other of stops.slice(index + 1)) {
      const [a, b] = [seen(one), seen(other)];
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      const over = width > 2 && height > 2 && !one.closest('dialog') === !other.closest('dialog');
      // The headings of the side panel stay in sight, on top of what is scrolled below them.
      if (over && !one.closest('.jp-QPI-Heading')) flaws.push(`${name(one)} lies on ${name(other)}`);
    }
  }
  return flaws;
}"""
"""What cannot be read or reached, or moves, in a part of the panel; tables, charts and the calendar may scroll."""

SET = """async values => {
  await window.jupyterapp.serviceManager.settings.save('qpi-jupyter:settings', JSON.stringify(values));
}"""
COLOURS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d');
  const bytes = colour => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const style = selector => getComputedStyle(document.querySelector(selector));
  return [style('.jp-QPI-Header').borderTopColor, style('.jp-QPI-Panel').backgroundColor].map(bytes);
}"""
"""The lab's accent as it is shown, and the ground it is on; red, green and blue."""

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
    yield from connect_dialog(page)
    yield from calendar(page)
    yield from queue(page)
    for state in ("completed", "failed", "running", "pending", "blocked"):
        yield from job(page, lab.jobs[state], state)
    for qpu in (CHIP, BENCH):
        yield from chip(page, qpu)
    yield from sections(page, "qpi:open-admin", ADMIN)
    yield from sections(page, "qpi:open-account", "#qpi-account")


def connect_dialog(page: Page) -> Iterator[tuple[str, str]]:
    execute(page, "qpi:connect-lab")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Address of the lab")).to_be_focused()
    dialog.get_by_label("Sign in with").select_option("password")
    yield "connect dialog", ".jp-QPI-Labs"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def submit_dialog(page: Page, lab: Lab) -> Iterator[tuple[str, str]]:
    (lab.notebooks.folder / "bell.qasm").write_text("OPENQASM 3.0;\n")
    execute(page, "qpi:submit-file", path="bell.qasm")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Shots")).to_be_visible()
    expect(dialog.locator(":focus")).to_have_count(1)
    yield "submit dialog", ".jp-QPI-Submit"
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def calendar(page: Page) -> Iterator[tuple[str, str]]:
    execute(page, "qpi:open-calendar")
    tab = page.locator(CALENDAR)
    tab.get_by_role("button", name="Later").click()  # the end of this week may be near
    expect(tab.locator(".jp-QPI-Booking").first).to_be_visible(timeout=20_000)
    for view in ("Day", "Agenda", "Week"):
        tab.get_by_role("button", name=view, exact=True).click()
        yield f"calendar, {view}", CALENDAR
    tab.locator(".jp-QPI-Booking").first.click()
    page.keyboard.press("Enter")
    expect(tab.get_by_role("dialog", name="Booking")).to_be_visible()
    yield "calendar, a booking", CALENDAR
    page.keyboard.press("Escape")
    yield from clash(page, tab)
    tab.get_by_role("button", name="Subscribe…").click()
    tab.get_by_role("button", name="New address").click()
    expect(tab.get_by_label("Address, shown only once")).to_be_visible()
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
    search = tab.get_by_role("searchbox", name="Search by name, id, tag, person or QPU")
    search.fill("nothing is called so")
    expect(tab.get_by_text("No matching jobs")).to_be_visible()
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
    expect(tab.get_by_role("region", name="History")).to_be_visible(timeout=20_000)
    expect(tab.get_by_role("region", name="Program").locator(".cm-content")).to_be_visible()
    yield f"job, {state}", f"#qpi-job-{job_id}"
    if state == "completed":
        tab.get_by_role("button", name="Edit name").click()
        yield "job, edited", f"#qpi-job-{job_id}"
        tab.get_by_role("button", name="Discard changes").click()


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
    panel.add_style_tag(content=".jp-QPI-Detail { color: var(--jp-layout-color2) }")
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


def test_half_as_wide_and_in_a_column_all_is_read_and_reached(panel: Page, lab: Lab) -> None:
    """200 % zoom on a window of 1280 x 900, whose half the side panel takes, at its narrowest."""
    panel.emulate_media(reduced_motion="reduce")
    panel.set_viewport_size({"width": 640, "height": 450})
    drag_to_its_minimum(panel)
    found: dict[str, str] = {}
    for where, root in surfaces(panel, lab):
        if root.startswith(("#", "[id")):
            assert panel.locator(root).evaluate("root => root.clientWidth") < 340, where
        for flaw in panel.evaluate(FLAWS, root):
            found.setdefault(flaw, where)
    assert not found, "\n".join(f"{where}: {flaw}" for flaw, where in found.items())


def drag_to_its_minimum(page: Page) -> None:
    """Make the side panel as narrow as JupyterLab lets it be."""
    box = page.locator(SIDE).bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] + 2, 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 60, 200, steps=5)
    page.mouse.up()


def test_no_accent_is_too_faint(panel: Page) -> None:
    for accent in (YELLOW, "#000033"):
        panel.evaluate(SET, {"accentColour": accent})
        panel.reload()
        panel.wait_for_function("() => window.jupyterapp")
        panel.evaluate("() => window.jupyterapp.restored")
        execute(panel, "qpi:open-panel")
        expect(panel.locator(".jp-QPI-Header")).to_be_visible()
        expect(panel.locator("html")).to_have_attribute("style", re.compile(accent))
        for theme in ("Dark", "Light"):
            change_theme(panel, f"JupyterLab {theme}")
            one, other = sorted(luminance(*colour) for colour in panel.evaluate(COLOURS))
            assert (other + 0.05) / (one + 0.05) >= 3, (accent, theme)
    panel.evaluate(SET, {})


def luminance(*channels: int) -> float:
    """The relative luminance of WCAG."""
    red, green, blue = (
        share / 12.92 if (share := channel / 255) <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue

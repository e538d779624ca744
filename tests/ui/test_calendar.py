"""The calendar in a real browser, against a scripted lab."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.faults.scripted_rules import RulesLab
from tests.ui.jupyterlab import Notebooks, change_theme, open_notebook, run_all, save

pytestmark = pytest.mark.ui
HOUR = timedelta(hours=1)
HOUR_PX = 44


def next_week(day: int, hour: float) -> datetime:
    """A time in the week after this one: all of it is still to come."""
    today = datetime.now(UTC).date()
    monday = today + timedelta(days=7 - today.weekday())
    return datetime.combine(monday + timedelta(days=day), time(), tzinfo=UTC) + timedelta(hours=hour)


@pytest.fixture
def lab(scripted: RulesLab) -> RulesLab:
    """The scripted lab with one booking of mine and one of somebody else."""
    scripted.bookings.clear()
    scripted.book(next_week(1, 9), next_week(1, 11), mine=True, title="Rabi & <b>Ramsey</b>")
    scripted.book(next_week(2, 13), next_week(2, 16), title="tomography", mode="exclusive")
    return scripted


def show(page: Page, notebooks: Notebooks, name: str) -> Locator:
    """Run a notebook with a calendar, and turn to the next week."""
    open_notebook(page, notebooks.write(name, "%load_ext qpi_jupyter", "%qpi_calendar sim-a"))
    run_all(page)
    calendar = page.locator(".qpi-cal").first
    expect(calendar).to_be_visible(timeout=30_000)
    calendar.get_by_role("button", name="Next week").click()
    expect(calendar.locator("[data-booking='b1']")).to_be_visible()
    calendar.locator(".qpi-cal-scroll").evaluate("(element, y) => { element.scrollTop = y }", 8 * HOUR_PX)
    return calendar


def at(calendar: Locator, day: int, hour: float) -> tuple[float, float]:
    """A point on the page: the middle of a half-hour."""
    box = calendar.locator(f".qpi-cal-column[data-day='{day}']").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + (hour + 0.25) * HOUR_PX


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*[(a + b) / 2 for a, b in zip(start, end, strict=True)], steps=3)
    page.mouse.move(*end, steps=3)
    page.mouse.up()


def times(lab: RulesLab, key: str) -> tuple[datetime, datetime]:
    return lab.bookings[key].start_at, lab.bookings[key].end_at


def test_dragging_books(jupyterlab: Page, notebooks: Notebooks, lab: RulesLab) -> None:
    calendar = show(jupyterlab, notebooks, "book.ipynb")
    drag(jupyterlab, at(calendar, 3, 10), at(calendar, 3, 11.5))
    dialog = calendar.get_by_role("dialog", name="New booking")
    expect(dialog).to_contain_text("10:00 – 12:00")
    dialog.get_by_label("Title").fill("T1 <script>")
    dialog.get_by_role("button", name="Book").click()
    box = calendar.locator("[data-booking='b3']")
    expect(box).to_contain_text("T1 <script>")
    assert times(lab, "b3") == (next_week(3, 10), next_week(3, 12))
    assert calendar.locator("script").count() == 0
    expect(calendar.locator("[data-booking='b1']")).to_contain_text("Rabi & <b>Ramsey</b>")


def test_dragging_moves_and_resizes(jupyterlab: Page, notebooks: Notebooks, lab: RulesLab) -> None:
    calendar = show(jupyterlab, notebooks, "move.ipynb")
    drag(jupyterlab, at(calendar, 1, 9.5), at(calendar, 4, 11.5))
    expect(calendar.get_by_text("Moved")).to_be_visible()
    assert times(lab, "b1") == (next_week(4, 11), next_week(4, 13))
    edge = calendar.locator("[data-booking='b1'] [data-edge='end']").bounding_box()
    assert edge is not None
    below = (edge["x"] + edge["width"] / 2, edge["y"] + 3)
    drag(jupyterlab, below, (below[0], below[1] + HOUR_PX))
    lab.wait_requests(lambda method, path: method == "PATCH")
    expect(calendar.locator("[data-booking='b1']")).to_contain_text("11:00–14:00")
    assert times(lab, "b1") == (next_week(4, 11), next_week(4, 14))


def test_a_conflict_offers_what_is_free(jupyterlab: Page, notebooks: Notebooks, lab: RulesLab) -> None:
    calendar = show(jupyterlab, notebooks, "clash.ipynb")
    drag(jupyterlab, at(calendar, 1, 9.5), at(calendar, 2, 13.5))
    alert = calendar.get_by_role("alert")
    expect(alert).to_contain_text("Booked already")
    assert times(lab, "b1") == (next_week(1, 9), next_week(1, 11)), "nothing was changed"
    alert.get_by_role("button", name="Take").click()
    expect(calendar.locator("[data-booking='b1']")).to_contain_text("16:00–18:00")
    assert times(lab, "b1") == (next_week(2, 16), next_week(2, 18))


def test_everything_works_by_keyboard(jupyterlab: Page, notebooks: Notebooks, lab: RulesLab) -> None:
    calendar, keys = show(jupyterlab, notebooks, "keys.ipynb"), jupyterlab.keyboard
    calendar.locator("[data-booking='b1']").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Shift+ArrowDown"):
        keys.press(key)
    expect(calendar.get_by_role("status").last).to_contain_text("10:00 – 12:30. Enter moves it there")
    keys.press("Escape")
    assert times(lab, "b1") == (next_week(1, 9), next_week(1, 11))
    keys.press("ArrowUp")
    keys.press("Enter")
    expect(calendar.locator("[data-booking='b1']")).to_contain_text("08:30–10:30")
    assert times(lab, "b1") == (next_week(1, 8.5), next_week(1, 10.5))

    calendar.locator(".qpi-cal-cursor").focus()
    keys.press("ArrowDown")
    keys.press("Enter")
    keys.type("by hand")
    keys.press("Enter")
    expect(calendar.locator("[data-booking='b3']")).to_contain_text("by hand")
    calendar.locator("[data-booking='b3']").focus()
    keys.press("Delete")
    expect(calendar.locator("[data-booking='b3']")).to_have_count(0)
    calendar.get_by_role("button", name="Undo").click()
    expect(calendar.locator("[data-booking='b4']")).to_contain_text("by hand")
    keys.press("PageDown")
    expect(calendar.locator("[data-booking]")).to_have_count(0)


def test_what_others_do_appears(jupyterlab: Page, notebooks: Notebooks, lab: RulesLab) -> None:
    calendar = show(jupyterlab, notebooks, "others.ipynb")
    lab.book(next_week(0, 9), next_week(0, 10), title="bo was here")
    expect(calendar.locator("[data-booking='b3']")).to_contain_text("bo was here")
    lab.stop()
    expect(calendar.get_by_text("No connection to the lab")).to_be_visible(timeout=15_000)
    lab.start()
    lab.change_booking("b3", title="and again")
    expect(calendar.locator("[data-booking='b3']")).to_contain_text("and again", timeout=15_000)
    expect(calendar.get_by_text("No connection to the lab")).to_be_hidden()


def test_what_is_saved_can_be_read_without_a_kernel(jupyterlab: Page, notebooks: Notebooks, lab: RulesLab) -> None:
    lab.book(datetime.now(UTC), datetime.now(UTC) + HOUR, title="now & then")
    show(jupyterlab, notebooks, "saved-calendar.ipynb")
    save(jupyterlab)
    data = notebooks.read("saved-calendar.ipynb")["cells"][1]["outputs"][0]["data"]
    assert "now &amp; then" in "".join(data["text/html"])
    assert "now & then" in "".join(data["text/plain"])


def test_it_follows_the_theme_and_fits_a_phone(jupyterlab: Page, notebooks: Notebooks, lab: RulesLab) -> None:
    calendar = show(jupyterlab, notebooks, "themes.ipynb")
    background = "element => getComputedStyle(element).backgroundColor"
    light = calendar.evaluate(background)
    change_theme(jupyterlab, "JupyterLab Dark")
    assert calendar.evaluate(background) != light
    jupyterlab.set_viewport_size({"width": 390, "height": 800})
    jupyterlab.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    assert calendar.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    change_theme(jupyterlab, "JupyterLab Light")

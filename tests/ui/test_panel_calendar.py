"""The calendar tab in a real browser, on a real demo lab: by mouse and by keyboard, checked through REST.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Page, expect

from tests.support.waiting import wait_until
from tests.ui.calendar_page import Ask, at, booked, drag, entry, times
from tests.ui.jupyterlab import ROOT, Notebooks, change_theme, loaded

pytestmark = [pytest.mark.ui, pytest.mark.slow]
IMAGES = ROOT / "docs" / "images"


def test_a_booking_is_drawn_moved_stretched_renamed_and_deleted_with_undo(calendar: Page, ask: Ask) -> None:
    drag(calendar, at(1, 9), at(1, 10.75))
    dialog = calendar.get_by_role("dialog", name="Book a QPU")
    dialog.get_by_label("Title").fill("Rabi <b>bold</b>")
    dialog.get_by_role("button", name="Book").click()
    # What looks like HTML is shown as it was typed.
    expect(entry(calendar, "Rabi <b>bold</b>")).to_be_visible()
    (booking,) = booked(ask)
    assert times(booking) == (at(1, 9), at(1, 11))

    drag(calendar, at(1, 9.5), at(3, 13.5))
    wait_until(lambda: times(booked(ask)[0]) == (at(3, 13), at(3, 15)), 10, "the booking moved")
    expect(entry(calendar, "1 – 3pm")).to_be_visible()

    entry(calendar, "Rabi").dblclick()
    dialog = calendar.get_by_role("dialog", name="Booking")
    dialog.get_by_label("Title").fill("Ramsey")
    dialog.get_by_role("button", name="Save").click()
    expect(entry(calendar, "Ramsey")).to_be_visible()

    entry(calendar, "Ramsey").click()
    calendar.keyboard.press("Delete")
    expect(entry(calendar, "Ramsey")).to_have_count(0)
    assert booked(ask) == []
    deleted = calendar.get_by_role("alert").filter(has_text="Deleted")
    deleted.get_by_role("button", name="Undo").click()
    expect(entry(calendar, "Ramsey")).to_be_visible()
    assert times(booked(ask)[0]) == (at(3, 13), at(3, 15))


def test_the_keyboard_alone_books_opens_and_deletes(calendar: Page, ask: Ask) -> None:
    calendar.locator(".jp-QPI-Grid").focus()
    # The first key shows the cell: nine o'clock of the week's first day.
    for key in ("ArrowDown", "ArrowRight", "ArrowDown", "Shift+ArrowDown", "Enter"):
        calendar.keyboard.press(key)
    expect(calendar.get_by_role("dialog", name="Book a QPU")).to_be_visible()
    calendar.get_by_label("Title").press_sequentially("by hand")
    calendar.keyboard.press("Enter")
    expect(entry(calendar, "by hand")).to_be_visible()
    assert times(booked(ask)[0]) == (at(1, 9.5), at(1, 10.5))

    calendar.locator(".jp-QPI-Grid").focus()
    calendar.keyboard.press("Enter")
    expect(calendar.get_by_role("dialog", name="Booking")).to_be_visible()
    calendar.keyboard.press("Escape")
    expect(calendar.get_by_role("dialog")).to_have_count(0)
    calendar.locator(".jp-QPI-Grid").focus()
    calendar.keyboard.press("Delete")
    expect(entry(calendar, "by hand")).to_have_count(0)
    assert booked(ask) == []


def test_a_clash_is_explained_and_the_next_free_time_is_one_click_away(calendar: Page, ask: Ask) -> None:
    ask("POST", "bookings", qpu="sim-a", start_at=at(2, 9).isoformat(), end_at=at(2, 11).isoformat(), title="first")
    # It shows without a reload: the page hears of it.
    expect(entry(calendar, "first")).to_be_visible()
    drag(calendar, at(2, 8), at(2, 9.25))
    dialog = calendar.get_by_role("dialog", name="Book a QPU")
    dialog.get_by_role("button", name="Book").click()
    expect(dialog.get_by_role("alert")).to_contain_text("sim-a is booked from")
    dialog.get_by_role("button", name="Take").click()
    expect(dialog).to_have_count(0)
    assert [times(booking) for booking in booked(ask)][1] == (at(2, 11), at(2, 12.5))


def test_one_of_a_series_is_deleted_and_then_the_rest(calendar: Page, ask: Ask) -> None:
    interval = {"start_at": at(0, 9).isoformat(), "end_at": at(0, 10).isoformat()}
    ask("POST", "bookings", qpu="sim-b", title="daily", rrule="FREQ=DAILY;COUNT=4", **interval)
    expect(entry(calendar, "daily")).to_have_count(4)
    for choice, left in (("This one", 3), ("This and following", 1)):
        entry(calendar, "daily").nth(1).click()
        calendar.keyboard.press("Delete")
        calendar.get_by_role("dialog").get_by_role("button", name=choice, exact=True).click()
        expect(entry(calendar, "daily")).to_have_count(left)
    assert [times(booking)[0] for booking in booked(ask)] == [at(0, 9)]


def test_it_shows_another_clock_the_agenda_and_the_address_to_subscribe(calendar: Page, ask: Ask) -> None:
    calendar.get_by_role("button", name="Book next free hour").click()
    expect(calendar.get_by_role("alert").filter(has_text="Booked")).to_be_visible()
    start, end = times(booked(ask)[0])
    assert end - start == timedelta(hours=1)
    assert start - datetime.now(UTC) < timedelta(minutes=10)
    calendar.get_by_role("button", name="Agenda", exact=True).click()
    expect(calendar.locator(".jp-QPI-AgendaRow")).to_contain_text("you")
    calendar.get_by_role("checkbox", name=booked(ask)[0]["qpu"]).click()
    expect(calendar.locator(".jp-QPI-AgendaRow")).to_have_count(0)
    calendar.get_by_role("button", name="Subscribe…").click()
    calendar.get_by_role("button", name="New address").click()
    address = calendar.get_by_label("Address, shown only once")
    with urlopen(address.input_value(), timeout=10) as answer:
        assert answer.read().startswith(b"BEGIN:VCALENDAR")


def test_its_pictures(page: Page, calendar_lab: Notebooks, ask: Ask) -> None:
    def book(qpu: str, day: int, hour: float, hours: float, **more: Any) -> None:
        start, end = at(day, hour).isoformat(), at(day, hour + hours).isoformat()
        ask("POST", "bookings", qpu=qpu, start_at=start, end_at=end, **more)

    book("sim-a", 0, 9, 3, title="Rabi and Ramsey", booked_by="grace")
    book("sim-b", 0, 10, 1.5, title="Daily calibration", rrule="FREQ=DAILY;COUNT=5", mode="exclusive")
    book("sim-a", 1, 9.5, 4, title="Randomised benchmarking", invited=["grace"])
    book("sim-b", 1, 12.5, 4, title="Readout fidelity", booked_by="bob")
    book("sim-a", 2, 8.5, 8, title="Fridge service", mode="maintenance")
    book("sim-b", 3, 13, 3, title="Surface code, distance 3", booked_by="grace")
    book("sim-a", 3, 11, 2, title="T1 over temperature", booked_by="lin")
    book("sim-a", 4, 9, 5, title="Student course", booked_by="bob")
    page.set_viewport_size({"width": 1280, "height": 900})
    for opened in loaded(page, calendar_lab):
        opened.evaluate("() => window.jupyterapp.commands.execute('qpi:open-calendar')")
        opened.get_by_role("button", name="Later").click()
        for theme in ("Dark", "Light"):
            change_theme(opened, f"JupyterLab {theme}")
            entry(opened, "Fridge service").scroll_into_view_if_needed()
            expect(opened.locator(".jp-QPI-Booking")).to_have_count(12)
            if os.environ.get("QPI_SCREENSHOTS"):
                opened.locator(".jp-QPI-Calendar").screenshot(path=IMAGES / f"panel-calendar-{theme.lower()}.png")
    assert {"panel-calendar-light.png", "panel-calendar-dark.png"} <= {path.name for path in IMAGES.glob("*.png")}


def test_a_narrow_window_shows_the_day_of_today(calendar: Page) -> None:
    calendar.set_viewport_size({"width": 640, "height": 800})
    calendar.get_by_role("button", name="Today").click()
    today = calendar.evaluate("() => new Date().toLocaleDateString('sv-SE')")
    column = calendar.locator(f'.jp-QPI-Week [role="cell"][data-date="{today}"]').first

    def seen() -> bool:
        grid, day = calendar.locator(".jp-QPI-Grid").bounding_box(), column.bounding_box()
        return bool(grid and day and grid["x"] <= day["x"] and day["x"] + day["width"] <= grid["x"] + grid["width"] + 1)

    wait_until(seen, 10, "today in sight")

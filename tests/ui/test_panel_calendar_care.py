"""What one expects of a calendar that one lives with: it remembers, keeps what was typed, says who was faster, knows
when the clocks change, and stays quick in a full month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import urlopen
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.support.waiting import wait_until
from tests.ui.calendar_page import (
    Ask,
    at,
    booked,
    double_click,
    drag,
    entry,
    fill_month,
    open_calendar,
    place,
    show,
    times,
)
from tests.ui.jupyterlab import Notebooks, loaded

pytestmark = [pytest.mark.ui, pytest.mark.slow]
BERLIN = "Europe/Berlin"


def reads_of(page: Page) -> list[str]:
    """Every request of the page that reads bookings, from now on."""
    found: list[str] = []
    page.on("request", lambda asked: found.append(asked.url) if _reads_bookings(asked.url) else None)
    return found


def _reads_bookings(url: str) -> bool:
    # The side panel looks at the coming days by itself: it says so with a smaller limit.
    return "/qpi/v1/bookings" in url and "limit=200&" not in url + "&" and "limit=20&" not in url + "&"


def book(ask: Ask, qpu: str, start: datetime, end: datetime, **more: str) -> str:
    answer = ask("POST", "bookings", qpu=qpu, start_at=start.isoformat(), end_at=end.isoformat(), **more)
    return str(answer["bookings"][0]["id"])


def test_it_is_after_a_reload_as_one_left_it(calendar: Page, calendar_lab: Notebooks, ask: Ask) -> None:
    rule = ask("PUT", "booking-rules", rule={"quiet": [{"start": "02:00", "end": "03:00", "timezone": BERLIN}]})
    calendar.reload()
    calendar.wait_for_selector(".jp-QPI-Grid")
    calendar.get_by_role("button", name="Day", exact=True).click()
    calendar.get_by_role("checkbox", name="sim-b").click()
    with calendar.expect_response(lambda answer: BERLIN in (answer.request.post_data or ""), timeout=15_000):
        calendar.get_by_role("combobox", name="Time zone").select_option(BERLIN)
    calendar.goto(f"{calendar_lab.url}/lab?token={calendar_lab.token}")
    calendar.wait_for_selector(".jp-QPI-Grid")
    expect(calendar.get_by_role("button", name="Day", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(calendar.get_by_role("checkbox", name="sim-b")).not_to_be_checked()
    expect(calendar.get_by_role("checkbox", name="sim-a")).to_be_checked()
    expect(calendar.get_by_role("combobox", name="Time zone")).to_have_value(BERLIN)
    ask("DELETE", f"booking-rules/{rule['id']}")


def test_an_event_of_one_booking_reads_and_draws_that_one(calendar: Page, ask: Ask) -> None:
    book(ask, "sim-a", at(1, 9), at(1, 11), title="stays")
    moving = book(ask, "sim-b", at(2, 9), at(2, 11), title="moves")
    expect(entry(calendar, "moves")).to_be_visible()
    expect(entry(calendar, "stays")).to_be_visible()
    entry(calendar, "stays").evaluate("node => { node.sameNode = true }")
    reads = reads_of(calendar)
    ask("PATCH", f"bookings/{moving}", start_at=at(3, 9).isoformat(), end_at=at(3, 12).isoformat())
    expect(entry(calendar, "moves")).to_contain_text("9am – 12pm")
    assert [url.rpartition("/")[2].partition("?")[0] for url in reads] == [moving]
    assert entry(calendar, "stays").evaluate("node => node.sameNode") is True


def test_a_full_month_is_read_by_the_week(page: Page, calendar_lab: Notebooks, ask: Ask) -> None:
    series, count = fill_month(ask, at(0, 0), 10_000)
    assert count >= 10_000
    reads, rows = reads_of(page), []
    page.on("response", lambda got: rows.append(got.text().count('"id"')) if _reads_bookings(got.url) else None)
    try:
        for opened in loaded(page, calendar_lab):
            open_calendar(opened)
            expect(opened.locator(".jp-QPI-Booking").first).to_contain_text("bookings")
            # This week, which is empty, and two pages of the next one, of which a few hundred entries are drawn.
            for _ in range(200):  # the second page may still be on its way
                if sum(rows) > count * 7 / 31 - 50:
                    break
                opened.wait_for_timeout(50)
            assert len(reads) <= 3
            assert count * 7 / 31 - 50 < sum(rows) < count * 7 / 31 + 50
            assert opened.locator(".jp-QPI-Booking").count() <= 400
            # A day of that week, and its agenda, are there already.
            opened.get_by_role("button", name="Day", exact=True).click()
            expect(opened.locator(".jp-QPI-Lane .jp-QPI-Booking").first).to_be_visible()
            opened.get_by_role("button", name="Agenda", exact=True).click()
            expect(opened.locator(".jp-QPI-AgendaRow").first).to_be_visible()
            assert len(reads) <= 3
    finally:
        for booking in series:
            ask("DELETE", f"bookings/{booking}?series=all")


def test_escape_lets_go_a_double_click_books_and_a_drag_goes_over_midnight(calendar: Page, ask: Ask) -> None:
    book(ask, "sim-a", at(1, 9), at(1, 11), title="Rabi")
    expect(entry(calendar, "Rabi")).to_be_visible()
    for start, end in ((at(1, 9.5), at(3, 14)), (at(4, 9), at(4, 12))):
        calendar.mouse.move(*place(calendar, start))
        calendar.mouse.down()
        calendar.mouse.move(*place(calendar, end), steps=6)
        calendar.keyboard.press("Escape")
        calendar.mouse.up()
    expect(calendar.get_by_role("dialog")).to_have_count(0)
    expect(entry(calendar, "Rabi")).to_have_count(1)  # what was dragged has gone back
    expect(entry(calendar, "Rabi")).to_contain_text("9 – 11am")
    assert [times(one) for one in booked(ask)] == [(at(1, 9), at(1, 11))]

    double_click(calendar, *place(calendar, at(5, 13)))
    dialog = calendar.get_by_role("dialog", name="Book a QPU")
    expect(dialog.get_by_text("1 h", exact=True)).to_be_visible()
    dialog.get_by_role("button", name="Book").click()
    expect(dialog).to_have_count(0)
    assert times(booked(ask)[1]) == (at(5, 13), at(5, 14))

    drag(calendar, at(2, 22), at(3, 1.75))
    calendar.get_by_role("dialog", name="Book a QPU").get_by_role("button", name="Book").click()
    expect(calendar.get_by_role("dialog")).to_have_count(0)
    assert (at(2, 22), at(3, 2)) in [times(one) for one in booked(ask)]


def test_a_move_is_undone_and_a_series_moves_as_far_as_one_says(calendar: Page, ask: Ask) -> None:
    interval = {"start_at": at(0, 9).isoformat(), "end_at": at(0, 10).isoformat()}
    ask("POST", "bookings", qpu="sim-b", title="daily", rrule="FREQ=DAILY;COUNT=4", **interval)
    expect(entry(calendar, "daily")).to_have_count(4)
    drag(calendar, at(1, 9.25), at(1, 12.25))
    question = calendar.get_by_role("dialog", name="Move in a series")
    question.get_by_role("button", name="Cancel").click()
    assert [times(one)[0] for one in booked(ask)] == [at(n, 9) for n in range(4)]
    drag(calendar, at(1, 9.25), at(1, 12.25))
    question.get_by_role("button", name="This and following").click()
    moved = calendar.get_by_role("alert").filter(has_text="is now")
    expect(moved).to_be_visible()
    assert [times(one)[0] for one in booked(ask)] == [at(0, 9), at(1, 12), at(2, 12), at(3, 12)]
    moved.get_by_role("button", name="Undo").click()
    wait_until(lambda: [times(one)[0] for one in booked(ask)] == [at(n, 9) for n in range(4)], 10, "it is moved back")


def test_the_keyboard_turns_pages_and_tells_its_keys(calendar: Page) -> None:
    title = calendar.locator(".jp-QPI-CalendarTitle")
    calendar.locator(".jp-QPI-Grid").focus()
    week = title.inner_text()
    for key, other in (("n", True), ("p", False), ("p", True), ("n", False)):
        calendar.keyboard.press(key)
        expect(title).not_to_have_text(week) if other else expect(title).to_have_text(week)
    for key, name in (("d", "Day"), ("a", "Agenda"), ("w", "Week")):
        calendar.keyboard.press(key)
        expect(calendar.get_by_role("button", name=name, exact=True)).to_have_attribute("aria-pressed", "true")
    calendar.keyboard.press("t")
    expect(title).not_to_have_text(week)
    calendar.keyboard.press("?")
    expect(calendar.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("today")
    calendar.keyboard.press("Escape")
    expect(calendar.get_by_role("dialog")).to_have_count(0)


def test_who_was_slower_is_told_and_nothing_that_was_typed_is_lost(calendar: Page, ask: Ask) -> None:
    booking = book(ask, "sim-a", at(1, 9), at(1, 11), title="first")
    entry(calendar, "first").dblclick()
    dialog = calendar.get_by_role("dialog", name="Booking")
    dialog.get_by_label("Title").fill("mine")
    ask("PATCH", f"bookings/{booking}", title="theirs")
    expect(dialog.get_by_role("alert").filter(has_text="changed elsewhere")).to_be_visible()
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert").filter(has_text="has changed since")).to_be_visible()
    expect(dialog.get_by_label("Title")).to_have_value("mine")
    dialog.get_by_role("button", name="Show current booking").click()
    expect(dialog.get_by_label("Title")).to_have_value("theirs")

    dialog.get_by_label("Title").fill("mine again")
    calendar.route(f"**/qpi/v1/bookings/{booking}*", lambda route: route.abort())
    dialog.get_by_role("button", name="Save").click()
    expect(dialog.get_by_role("alert").filter(has_text="does not answer")).to_be_visible()
    calendar.unroute(f"**/qpi/v1/bookings/{booking}*")
    dialog.get_by_role("button", name="Save").click()
    expect(entry(calendar, "mine again")).to_be_visible()


def test_a_booking_that_begins_is_told(calendar: Page, ask: Ask) -> None:
    start = datetime.now(UTC) + timedelta(seconds=4)
    book(ask, "sim-b", start, start + timedelta(hours=1), title="soon")
    told = calendar.get_by_role("alert").filter(has_text="sim-b is yours until")
    expect(told).to_be_visible(timeout=15_000)
    assert datetime.now(UTC) >= start
    told.get_by_role("button", name="Calendar").click()
    expect(calendar.locator(".jp-QPI-Calendar")).to_be_visible()


def test_an_address_is_listed_and_dies_when_it_is_ended(calendar: Page) -> None:
    calendar.get_by_role("button", name="Subscribe…").click()
    dialog = calendar.get_by_role("dialog", name="Calendar address")
    dialog.get_by_label("Calendar of").select_option("sim-b")
    dialog.get_by_role("button", name="New address").click()
    address = dialog.get_by_label("Address, shown only once").input_value()
    dialog.get_by_role("button", name="Copy").click()
    urlopen(address, timeout=10).close()
    mine = dialog.get_by_role("listitem").filter(has_text="sim-b")
    expect(mine).to_have_count(1)
    mine.get_by_role("button", name="Revoke").click()
    expect(mine).to_have_count(0)
    with pytest.raises(HTTPError):
        urlopen(address, timeout=10)


def test_eight_qpus_have_a_column_each(calendar: Page, ask: Ask) -> None:
    names = [f"chip-{letter}" for letter in "abcdef"]
    for name in names:
        ask("POST", "qpus", name=name)
    try:
        book(ask, "chip-c", at(0, 9), at(0, 11), title="Rabi")
        expect(entry(calendar, "Rabi")).to_be_visible()
        entry(calendar, "Rabi").click()
        calendar.keyboard.press("d")
        expect(calendar.locator(".jp-QPI-Lane")).to_have_count(8)
        lane = calendar.locator('.jp-QPI-Lane[data-qpu="chip-c"]')
        expect(lane.locator(".jp-QPI-Booking", has_text="Rabi")).to_have_count(1)
        # What is drawn in a column is of its QPU.
        box = calendar.locator('.jp-QPI-Lane[data-qpu="chip-e"] [role="cell"][data-date]').bounding_box()
        assert box is not None
        double_click(calendar, box["x"] + box["width"] / 2, box["y"] + box["height"] * 13 / 24 + 8)
        expect(calendar.get_by_role("dialog", name="Book a QPU").get_by_label("QPU")).to_have_value("chip-e")
        calendar.keyboard.press("Escape")
    finally:
        for booking in booked(ask):
            ask("DELETE", f"bookings/{booking['id']}")
        for name in names:
            ask("DELETE", f"qpus/{name}")


@pytest.mark.browser_context_args(timezone_id=BERLIN)
def test_the_day_of_25_hours_is_drawn_and_booked_right(page: Page, calendar_lab: Notebooks, ask: Ask) -> None:
    today = datetime.now(UTC)
    year = today.year if today.month < 10 else today.year + 1
    sunday = max(day for day in (datetime(year, 10, n, tzinfo=UTC) for n in range(25, 32)) if day.weekday() == 6)
    here = datetime.now(ZoneInfo(BERLIN)).date()
    monday = here + timedelta(days=7 - here.weekday())  # of the week that is shown
    page.set_viewport_size({"width": 1280, "height": 1400})
    for opened in loaded(page, calendar_lab):
        open_calendar(opened)
        opened.locator(".jp-QPI-Grid").focus()
        for _ in range((sunday.date() - monday).days // 7):
            opened.keyboard.press("n")
        show(opened, sunday)
        drag(opened, sunday + timedelta(hours=1), sunday + timedelta(hours=3, minutes=30))
        dialog = opened.get_by_role("dialog", name="Book a QPU")
        expect(dialog.get_by_text("4 h", exact=True)).to_be_visible()
        dialog.get_by_role("button", name="Book").click()
        expect(entry(opened, "1 – 4am")).to_be_visible()
        (booking,) = booked(ask)
        assert times(booking) == (sunday - timedelta(hours=1), sunday + timedelta(hours=3))


@pytest.mark.browser_context_args  # a clock that was set stays so in the browser
def test_the_clock_of_the_lab_counts(page: Page, calendar_lab: Notebooks, ask: Ask) -> None:
    page.clock.install(time=datetime.now(UTC) + timedelta(minutes=47))
    page.set_viewport_size({"width": 1280, "height": 1400})
    for opened in loaded(page, calendar_lab):
        open_calendar(opened)
        opened.get_by_role("button", name="Book next free hour").click()
        expect(opened.get_by_role("alert").filter(has_text="Booked")).to_be_visible()
        assert times(booked(ask)[0])[0] - datetime.now(UTC) < timedelta(minutes=6)


HOURS_IN_SIGHT = """([scroller, at]) => {
  const frame = scroller.getBoundingClientRect();
  const hour = [...scroller.querySelectorAll('.jp-QPI-Hours')].map(one => one.getBoundingClientRect())
    .find(box => box.top > frame.top + 60);
  const over = document.elementFromPoint(hour.left + hour.width / 2, hour.top + hour.height / 2);
  return scroller.scrollLeft > at && Math.abs(hour.left - frame.left) < 3 && over.closest('.jp-QPI-Hours') !== null;
}"""
"""Whether the scroller was scrolled that far and has its hours at its left, over what was booked."""


def test_the_hours_stay_in_sight_in_a_narrow_calendar(calendar: Page, ask: Ask) -> None:
    for day in range(7):
        book(ask, "sim-a", at(day, 0), at(day, 23))
    calendar.set_viewport_size({"width": 620, "height": 900})
    expect(entry(calendar, "sim-a")).to_have_count(7)
    for view, scroller, far in (("Week", ".jp-QPI-Grid", 150), ("Day", ".jp-QPI-Lanes", 20)):
        calendar.get_by_role("button", name=view, exact=True).click()
        if view == "Day":
            calendar.set_viewport_size({"width": 520, "height": 900})
        board = calendar.locator(scroller)
        expect(board.locator(".jp-QPI-Hours").first).to_be_visible()
        board.evaluate("node => { node.scrollLeft = 9999 }")
        node = board.element_handle()
        calendar.wait_for_function(HOURS_IN_SIGHT, arg=[node, far])


def test_the_next_free_hour_comes_into_view(calendar: Page, ask: Ask) -> None:
    """Whatever of the day the page showed before."""
    calendar.set_viewport_size({"width": 1280, "height": 560})
    free = (datetime.now(UTC) + timedelta(days=1)).replace(hour=20, minute=0, second=0, microsecond=0)
    now = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    for qpu in ("sim-a", "sim-b"):
        book(ask, qpu, now, free, title="taken")
    calendar.get_by_role("button", name="Book next free hour").click()
    expect(calendar.get_by_text("Undo", exact=True)).to_be_visible()
    (mine,) = [booking for booking in booked(ask) if booking["title"] != "taken"]
    assert times(mine)[0] == free
    expect(calendar.locator(f'[data-booking="{mine["id"]}"]')).to_be_in_viewport()

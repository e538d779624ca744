"""Where things are on the page of the calendar tab, and what its lab has booked."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from playwright.sync_api import Locator, Page, expect

Ask = Callable[..., Any]
TO_HOUR = """(lane, hour) => {
  let node = lane;
  const still = node => node.scrollHeight <= node.clientHeight || getComputedStyle(node).overflowY === "visible";
  while (still(node)) node = node.parentElement;
  node.scrollTop = lane.clientHeight * hour / 24;
}"""


def open_calendar(page: Page) -> None:
    """At the week after this one."""
    page.evaluate("() => window.jupyterapp.commands.execute('qpi:open-calendar')")
    page.get_by_role("button", name="Later").click()


def booked(ask: Ask) -> list[dict[str, Any]]:
    return list(ask("GET", "bookings?status=booked")["bookings"])


def at(day: int, hour: float) -> datetime:
    """A time in the week after this one."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=7 - today.weekday() + day, hours=hour)


def times(booking: dict[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(booking["start_at"]), datetime.fromisoformat(booking["end_at"])


def drag(page: Page, start: datetime, end: datetime) -> None:
    """With the mouse, from one time of the grid to another."""
    page.mouse.move(*place(page, start))
    page.mouse.down()
    page.mouse.move(*place(page, start + (end - start) / 2), steps=4)
    page.mouse.move(*place(page, end), steps=4)
    page.mouse.up()


def show(page: Page, moment: datetime) -> None:
    """Scroll to that hour: where the grid opens depends on the time of day."""
    cell(page, moment).evaluate(TO_HOUR, moment.hour)


def cell(page: Page, moment: datetime) -> Locator:
    return page.locator(f'.jp-QPI-Grid [role="cell"][data-date="{moment:%Y-%m-%d}"]')


def double_click(page: Page, x: float, y: float) -> None:
    """As fast as a person: the first click is seen before the second."""
    page.mouse.click(x, y)
    expect(page.locator(".jp-QPI-Cell")).to_be_visible()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)


def place(page: Page, moment: datetime) -> tuple[float, float]:
    """Where a time is on the page; inside its half hour."""
    lane = cell(page, moment).bounding_box()
    assert lane is not None
    share = (moment.hour + moment.minute / 60) / 24
    return lane["x"] + lane["width"] / 2, lane["y"] + lane["height"] * share + 10


def entry(page: Page, title: str) -> Locator:
    return page.locator(".jp-QPI-Booking", has_text=title)


def fill_month(ask: Ask, start: datetime, least: int) -> tuple[list[str], int]:
    """So many short bookings in the 31 days from ``start``, on both QPUs; a booking of each series, and how many."""
    hours = 31 * 24
    every = 60 // -(-least // (2 * hours))
    series, count = [], 0
    for qpu, minute, half in product(("sim-a", "sim-b"), range(0, 60 - every + 1, every), (0, hours // 2)):
        begins = start + timedelta(hours=half, minutes=minute)
        ends = begins + timedelta(minutes=every - 1)
        interval = {"start_at": begins.isoformat(), "end_at": ends.isoformat()}
        made = ask("POST", "bookings", qpu=qpu, booked_by="grace", rrule=f"FREQ=HOURLY;COUNT={hours // 2}", **interval)
        series.append(str(made["bookings"][0]["id"]))
        count += len(made["bookings"])
    return series, count

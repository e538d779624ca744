"""Whether the calendar tab stays quick in a full month: 10 000 bookings against none, in Chromium on a demo lab."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import Request, urlopen

from playwright.sync_api import Page

from tests.support.servers import wait_until
from tests.ui.calendar_page import fill_month
from tests.ui.jupyterlab import Notebooks

from .browser import DEMO, browser, jupyterlab, loaded
from .harness import Figure

BOOKINGS, QUICK_BOOKINGS = 10_000, 3_000
WEEKS, EVENTS = 12, 20
SLOWER_WEEK, SLOWER_EVENT = 8.0, 3.0
"""How much longer it may take than without bookings: a full week is 2 300 rows to read and 200 entries to draw."""
WEEK = """async ([key, busy]) => {
  const grid = document.querySelector('.jp-QPI-Grid');
  const title = document.querySelector('.jp-QPI-CalendarTitle');
  const [began, before] = [performance.now(), title.textContent];
  let answered = false;
  const seen = new PerformanceObserver(list => {
    answered ||= list.getEntries().some(({ name }) => name.includes('/bookings?') && name.includes('limit=2000'));
  });
  seen.observe({ type: 'resource' });
  grid.focus();
  grid.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
  const many = () => document.querySelectorAll('.jp-QPI-Grid .jp-QPI-Booking').length > 50;
  const drawn = () => answered && (many() || !busy);
  while (title.textContent === before || !drawn()) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  seen.disconnect();
  return performance.now() - began;
}"""
"""From the key that turns the page to the frame with its bookings, or with their absence known (ms)."""
PIXEL = """async title => {
  const shown = () => [...document.querySelectorAll('.jp-QPI-BookingTitle')].some(one => one.textContent === title);
  while (!shown()) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return Date.now();
}"""


def run(*, quick: bool) -> Iterator[Figure]:
    """Weeks turned by key, and bookings renamed by somebody else: first in an empty lab, then in a full one."""
    wanted = QUICK_BOOKINGS if quick else BOOKINGS
    with jupyterlab(DEMO) as notebooks:
        weeks, events = _both(notebooks, wanted)
    for name, (bare, ours), goal in (
        (f"a week of {wanted:,} bookings a month against an empty one", weeks, SLOWER_WEEK),
        (f"event to pixel among {wanted:,} bookings a month", events, SLOWER_EVENT),
    ):
        yield Figure(name=name, ratio=ours / bare, goal=goal, ours=ours, bare=bare, unit=" ms")


def _both(notebooks: Notebooks, wanted: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Medians (ms) of a week and of an event, each without and with the bookings."""

    def ask(method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"token {notebooks.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        with urlopen(Request(f"{notebooks.url}/qpi/v1/{path}", data, headers, method=method), timeout=60) as answer:
            return json.load(answer)

    wait_until(lambda: len(ask("GET", "qpus")["qpus"]) >= 2, 90, "both QPUs")
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today + timedelta(days=7 - today.weekday())
    # A booking of an hour is drawn by itself, however many short ones are put together around it.
    start = monday + timedelta(days=3, minutes=-90)
    with browser() as running:
        page = running.new_page(viewport={"width": 1280, "height": 1400}, timezone_id="UTC")
        _open(page, notebooks)
        empty = _weeks(page, busy=False)
        booking = ask(
            "POST", "bookings", qpu="sim-a", start_at=start.isoformat(), end_at=(start + timedelta(hours=1)).isoformat()
        )["bookings"][0]["id"]
        alone = _events(page, ask, booking)
        ask("DELETE", f"bookings/{booking}")
        fill_month(ask, monday, wanted)
        _open(page, notebooks)
        full = _weeks(page, busy=True)
        among = _events(page, ask, _one_of(ask, monday))
    return (empty, full), (alone, among)


def _one_of(ask: Any, monday: datetime) -> str:
    """A booking of one's own in that week, which is drawn by itself."""
    window = f"start={monday:%Y-%m-%dT00:00:00Z}&end={monday + timedelta(days=7):%Y-%m-%dT00:00:00Z}"
    found = ask("GET", f"bookings?{window}&status=booked&limit=1")["bookings"][0]
    ask("PATCH", f"bookings/{found['id']}", invited=[ask("GET", "me")["user"]["name"]])
    return str(found["id"])


def _open(page: Page, notebooks: Notebooks) -> None:
    """The calendar of the coming week."""
    loaded(page, notebooks)
    page.evaluate("() => window.jupyterapp.commands.execute('qpi:open-calendar')")
    page.wait_for_selector(".jp-QPI-Grid")
    page.get_by_role("button", name="Later").click()
    page.wait_for_selector('.jp-QPI-Booking, .jp-QPI-CalendarNote:has-text("Nothing is booked")')


def _weeks(page: Page, *, busy: bool) -> float:
    """The median of turning pages there and back; what is drawn is gone from the page in between."""
    took: list[float] = [page.evaluate(WEEK, ["np"[n % 2], busy]) for n in range(WEEKS)]
    return statistics.median(took)


def _events(page: Page, ask: Any, booking: str) -> float:
    """The median from somebody's request to rename a booking until the name is on the screen."""
    took: list[float] = []
    for n in range(EVENTS):
        began = datetime.now(UTC).timestamp() * 1000
        ask("PATCH", f"bookings/{booking}", title=f"name {n}")
        took.append(page.evaluate(PIXEL, f"name {n}") - began)
    return statistics.median(took)

"""The calendar tab on a real demo lab, and its lab asked through REST: what the tests of the tab share."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Locator, Page

from tests.support.servers import wait_until
from tests.ui.conftest import Notebooks, loaded, start_jupyterlab

Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def calendar_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    """JupyterLab with the demo lab inside."""
    home = tmp_path_factory.mktemp("calendar")
    process, notebooks = start_jupyterlab(
        home, {"QPI_LAB_DIR": str(home / "lab")},
        "--ServerApp.jpserver_extensions={'qpi_server': True}", "--QPIServer.demo=True",
    )  # fmt: skip
    try:
        yield notebooks
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@pytest.fixture
def ask(calendar_lab: Notebooks) -> Iterator[Ask]:
    """The lab's REST surface, as the person of the page; without a booking before and after."""

    def ask(method: str, path: str, **body: Any) -> Any:
        headers = {"Authorization": f"token {calendar_lab.token}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        with urlopen(Request(f"{calendar_lab.url}/qpi/v1/{path}", data, headers, method=method), timeout=10) as answer:
            return json.load(answer)

    wait_until(lambda: len(ask("GET", "qpus")["qpus"]) >= 2, 60, "both QPUs")
    yield ask
    for booking in booked(ask):
        ask("DELETE", f"bookings/{booking['id']}")


@pytest.fixture
def calendar(page: Page, calendar_lab: Notebooks, ask: Ask) -> Iterator[Page]:
    """The calendar of the week after this one, nearly all of its hours in view."""
    page.set_viewport_size({"width": 1280, "height": 1400})
    for opened in loaded(page, calendar_lab):
        open_calendar(opened)
        yield opened


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


def place(page: Page, moment: datetime) -> tuple[float, float]:
    """Where a time is on the page; inside its half hour."""
    lane = page.locator(f'.jp-QPI-Grid [role="cell"][data-date="{moment:%Y-%m-%d}"]').bounding_box()
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

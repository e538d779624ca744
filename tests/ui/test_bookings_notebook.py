"""Bookings on a real demo lab: the notebook from top to bottom, and the calendar by pointer and keyboard.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.jupyterlab import ROOT, Notebooks, change_theme, open_notebook, run_all, save
from tests.ui.test_calendar import HOUR_PX, at, drag

pytestmark = pytest.mark.ui
NOTEBOOK = ROOT / "notebooks" / "02_bookings_and_time.ipynb"
IMAGES = ROOT / "docs" / "images"


@pytest.fixture
def api(demo: tuple[Notebooks, int]) -> Iterator[httpx.Client]:
    """The demo lab, without bookings when a test begins."""
    notebooks, _ = demo
    headers = {"Authorization": f"token {notebooks.token}"}
    with httpx.Client(base_url=f"{notebooks.url}/qpi/v1/", headers=headers, trust_env=False) as client:
        for booking in bookings(client):
            client.delete(f"bookings/{booking['id']}").raise_for_status()
        yield client


def bookings(api: httpx.Client) -> list[dict[str, Any]]:
    answer = api.get("bookings", params={"start": datetime.now(UTC).isoformat()}).raise_for_status()
    return [booking for booking in answer.json()["bookings"] if booking["status"] == "booked"]


def next_week(day: int, hour: float) -> datetime:
    today = datetime.now(UTC).date()
    monday = today + timedelta(days=7 - today.weekday())
    return datetime.combine(monday + timedelta(days=day), time(), tzinfo=UTC) + timedelta(hours=hour)


def book(api: httpx.Client, start: datetime, hours: float, **fields: Any) -> None:
    body = {
        "qpu": "sim-b", "start_at": start.isoformat(), "end_at": (start + timedelta(hours=hours)).isoformat(), **fields,
    }  # fmt: skip
    api.post("bookings", json=body).raise_for_status()


def calendar_of(page: Page, notebooks: Notebooks, name: str) -> Locator:
    open_notebook(page, notebooks.write(name, "%load_ext qpi_jupyter", "%qpi_calendar sim-b"))
    run_all(page)
    calendar = page.locator(".qpi-cal").first
    expect(calendar).to_be_visible(timeout=60_000)
    calendar.get_by_role("button", name="Next week").click()
    expect(calendar.locator(".qpi-cal-title")).to_contain_text(f"{next_week(6, 0).day} ")
    calendar.locator(".qpi-cal-scroll").evaluate("(element, y) => { element.scrollTop = y }", 8 * HOUR_PX)
    return calendar


def test_the_notebook_runs_from_top_to_bottom(
    page_of_demo: Page, demo: tuple[Notebooks, int], api: httpx.Client
) -> None:
    page, (notebooks, _) = page_of_demo, demo
    page.set_viewport_size({"width": 1200, "height": 6000})
    shutil.copy(NOTEBOOK, notebooks.folder)
    open_notebook(page, NOTEBOOK.name)
    run_all(page)
    # The last cell's table; JupyterLab keeps only what is in view on the page.
    expect(page.get_by_text("No API tokens")).to_be_visible(timeout=120_000)
    expect(page.locator(".qpi-cal")).to_be_visible()
    save(page)
    outputs = [o for cell in notebooks.read(NOTEBOOK.name)["cells"] for o in cell.get("outputs", [])]
    assert [o for o in outputs if o["output_type"] == "error"] == []
    told = " ".join("".join(o.get("text", "")) for o in outputs)
    assert "Type lab.book('sim-b'" in told
    assert re.search(r"0\.3[0-6] pi; held", told), "a quarter of the shots at a third of pi"
    assert bookings(api) == [], "the notebook leaves nothing behind"


def test_a_booking_is_dragged_moved_and_deleted(
    page_of_demo: Page, demo: tuple[Notebooks, int], api: httpx.Client
) -> None:
    page, (notebooks, _) = page_of_demo, demo
    book(api, next_week(2, 13), 3, title="tomography", mode="exclusive")
    calendar = calendar_of(page, notebooks, "calendar.ipynb")
    drag(page, at(calendar, 3, 10), at(calendar, 3, 11.5))
    calendar.get_by_label("Title").fill("Rabi")
    page.keyboard.press("Enter")
    mine = calendar.locator(".qpi-cal-booking", has_text="Rabi")
    expect(mine).to_contain_text("10:00–12:00")
    drag(page, at(calendar, 3, 10.5), at(calendar, 2, 14))
    expect(calendar.get_by_role("alert")).to_contain_text("Booked already: Wed")
    calendar.get_by_role("button", name="Take").click()
    expect(mine).to_contain_text("16:00–18:00")
    starts = {b["title"]: datetime.fromisoformat(b["start_at"]) for b in bookings(api)}
    assert starts == {"tomography": next_week(2, 13), "Rabi": next_week(2, 16)}

    mine.focus()
    for key in ("ArrowLeft", "Shift+ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(mine).to_contain_text("16:00–18:30")
    mine.focus()
    page.keyboard.press("Delete")
    expect(mine).to_have_count(0)
    assert {b["title"] for b in bookings(api)} == {"tomography"}
    calendar.get_by_role("button", name="Undo").click()
    expect(mine).to_contain_text("16:00–18:30")


def test_what_another_client_books_appears(page_of_demo: Page, demo: tuple[Notebooks, int], api: httpx.Client) -> None:
    page, (notebooks, _) = page_of_demo, demo
    calendar = calendar_of(page, notebooks, "live.ipynb")
    book(api, next_week(1, 9), 2, title="from elsewhere")
    expect(calendar.locator(".qpi-cal-booking", has_text="from elsewhere")).to_be_visible()


def test_pictures_of_the_documentation(page_of_demo: Page, demo: tuple[Notebooks, int], api: httpx.Client) -> None:
    page, (notebooks, _) = page_of_demo, demo
    book(api, next_week(0, 8.5), 3, title="fridge service", mode="maintenance")
    book(api, next_week(1, 9), 2.5, title="T1 and T2")
    book(api, next_week(2, 13), 3, title="state tomography", mode="exclusive", booked_by="bo")
    book(api, next_week(3, 9), 1, title="standup", rrule="FREQ=DAILY;COUNT=2")
    book(api, next_week(4, 11), 4, title="randomised benchmarking")
    calendar = calendar_of(page, notebooks, "picture.ipynb")
    drag(page, at(calendar, 3, 12), at(calendar, 3, 13.5))
    expect(calendar.get_by_role("dialog", name="New booking")).to_be_visible()
    for theme in ("Dark", "Light"):
        change_theme(page, f"JupyterLab {theme}")
        if os.environ.get("QPI_SCREENSHOTS"):
            calendar.screenshot(path=IMAGES / f"calendar-{theme.lower()}.png")
        expect(calendar.locator(".qpi-cal-booking")).to_have_count(6)
    assert {"calendar-dark.png", "calendar-light.png"} <= {path.name for path in IMAGES.glob("*.png")}

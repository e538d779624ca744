"""Bookings on a real demo lab: the notebook from top to bottom, and the calendar by pointer and keyboard.

With ``QPI_SCREENSHOTS=1`` it also takes the pictures of the documentation.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.calendar_page import at, drag, entry, show
from tests.ui.jupyterlab import ROOT, Notebooks, change_theme, open_notebook, run_all, save

pytestmark = [pytest.mark.ui, pytest.mark.slow]
NOTEBOOK = ROOT / "notebooks" / "02_bookings_and_time.ipynb"
IMAGES = ROOT / "docs" / "images"


@pytest.fixture
def api(demo: tuple[Notebooks, int]) -> Iterator[httpx.Client]:
    """The demo lab, without bookings when a test begins."""
    notebooks, _ = demo
    headers = {"Authorization": f"token {notebooks.token}"}
    with httpx.Client(base_url=f"{notebooks.url}/qpi/v1/", headers=headers, trust_env=False, timeout=120) as client:
        for booking in bookings(client):
            client.delete(f"bookings/{booking['id']}").raise_for_status()
        yield client


def bookings(api: httpx.Client) -> list[dict[str, Any]]:
    answer = api.get("bookings", params={"start": datetime.now(UTC).isoformat()}).raise_for_status()
    return [booking for booking in answer.json()["bookings"] if booking["status"] == "booked"]


def book(api: httpx.Client, start: datetime, hours: float, **fields: Any) -> None:
    body = {
        "qpu": "sim-b", "start_at": start.isoformat(), "end_at": (start + timedelta(hours=hours)).isoformat(), **fields,
    }  # fmt: skip
    api.post("bookings", json=body).raise_for_status()


def calendar_of(page: Page, notebooks: Notebooks, name: str) -> Locator:
    cells = ("import qpi_jupyter\ncalendar = qpi_jupyter.connect().calendar('sim-b')\ncalendar", "calendar.value")
    open_notebook(page, notebooks.write(name, *cells))
    run_all(page)
    calendar = page.locator(".jp-QPI-CalendarWidget")
    expect(calendar.get_by_role("checkbox", name="sim-b")).to_be_checked(timeout=60_000)
    calendar.get_by_role("button", name="Later").click()
    expect(calendar.locator(f'[data-date="{at(6, 0):%Y-%m-%d}"]').first).to_be_visible()
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
    expect(page.locator(".jp-QPI-CalendarWidget")).to_be_visible()
    save(page)
    outputs = [o for cell in notebooks.read(NOTEBOOK.name)["cells"] for o in cell.get("outputs", [])]
    assert [o for o in outputs if o["output_type"] == "error"] == []
    told = " ".join("".join(o.get("text", "")) for o in outputs)
    assert "Type lab.book('sim-b'" in told
    assert re.search(r"0\.3[0-6] pi; held", told), "a quarter of the shots at a third of pi"
    assert bookings(api) == [], "the notebook leaves nothing behind"


def test_one_books_in_the_calendar_and_sees_what_others_book(
    page_of_demo: Page, demo: tuple[Notebooks, int], api: httpx.Client
) -> None:
    page, (notebooks, _) = page_of_demo, demo
    calendar = calendar_of(page, notebooks, "calendar.ipynb")
    show(page, at(3, 9))
    drag(page, at(3, 10), at(3, 11))
    dialog = calendar.get_by_role("dialog")
    dialog.get_by_label("Title").fill("Rabi")
    dialog.get_by_label("Title").press("Enter")
    expect(entry(page, "Rabi")).to_be_visible()
    [made] = bookings(api)
    assert datetime.fromisoformat(made["start_at"]) == at(3, 10)
    book(api, at(1, 9), 2, title="from elsewhere")
    expect(entry(page, "from elsewhere")).to_be_visible()
    # What was chosen is the widget's value.
    page.locator(".jp-CodeCell .cm-content", has_text="calendar.value").click()
    page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:run-cell') }")
    said = f"datetime.datetime({at(3, 10):%Y, %-m, %-d}, 10"
    expect(page.locator(".jp-OutputArea-output").last).to_contain_text(said)


def test_pictures_of_the_documentation(page_of_demo: Page, demo: tuple[Notebooks, int], api: httpx.Client) -> None:
    page, (notebooks, _) = page_of_demo, demo
    book(api, at(0, 8.5), 3, title="fridge service", mode="maintenance")
    book(api, at(1, 9), 2.5, title="T1 and T2")
    book(api, at(2, 13), 3, title="state tomography", mode="exclusive", booked_by="bo")
    book(api, at(3, 9), 1, title="standup", rrule="FREQ=DAILY;COUNT=2")
    book(api, at(4, 11), 4, title="randomised benchmarking")
    calendar = calendar_of(page, notebooks, "picture.ipynb")
    for theme in ("Dark", "Light"):
        change_theme(page, f"JupyterLab {theme}")
        if os.environ.get("QPI_SCREENSHOTS"):
            calendar.screenshot(path=IMAGES / f"calendar-{theme.lower()}.png")
        expect(calendar.locator(".jp-QPI-Booking")).to_have_count(6)
    assert {"calendar-dark.png", "calendar-light.png"} <= {path.name for path in IMAGES.glob("*.png")}

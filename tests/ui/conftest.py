"""A real JupyterLab and a real browser: one server a session, a fresh page a test. Collected last, because Playwright's
own event loop stays until the session ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.faults.scripted_rest import TOKEN
from tests.faults.scripted_rules import RulesLab
from tests.ui.calendar_page import Ask, booked, open_calendar
from tests.ui.jupyterlab import CHROMIUM_FLAGS, Notebooks, chromium, loaded, start_jupyterlab
from tests.ui.labs import client_of, demo_lab, ok


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Playwright owns the event loop here: keep pytest-jupyter's autouse fixture out."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """As `jp_asyncio_loop`."""


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_type_launch_args, "executable_path": chromium(), "args": CHROMIUM_FLAGS}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {
        **browser_context_args, "viewport": {"width": 1200, "height": 900}, "timezone_id": "UTC",
        "device_scale_factor": 2,
    }  # fmt: skip


@pytest.fixture(scope="session")
def scripted() -> Iterator[RulesLab]:
    with RulesLab() as server:
        yield server


@pytest.fixture(scope="session")
def notebooks(scripted: RulesLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    """JupyterLab whose kernels talk to the scripted lab."""
    home = tmp_path_factory.mktemp("jupyterlab")
    # The lab's own extension stays out: the scripted lab takes its place.
    process, found = start_jupyterlab(
        home,
        {"QPI_LAB_URL": scripted.url, "QPI_LAB_TOKEN": TOKEN},
        "--ServerApp.jpserver_extensions={'qpi_server': False}",
    )
    try:
        yield found
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def jupyterlab(page: Page, notebooks: Notebooks) -> Iterator[Page]:
    """JupyterLab, loaded, in an empty workspace."""
    yield from loaded(page, notebooks)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Notebooks, int]]:
    """JupyterLab with the demo lab inside, both QPUs online; and the server's process id. Started by its first user."""
    with demo_lab(tmp_path_factory.mktemp("demo")) as found:
        yield found.notebooks, found.process.pid


@pytest.fixture
def page_of_demo(page: Page, demo: tuple[Notebooks, int]) -> Iterator[Page]:
    yield from loaded(page, demo[0])


@pytest.fixture(scope="session")
def calendar_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebooks]:
    """JupyterLab with the demo lab inside."""
    with demo_lab(tmp_path_factory.mktemp("calendar")) as found:
        yield found.notebooks


@pytest.fixture
def ask(calendar_lab: Notebooks) -> Iterator[Ask]:
    """The lab's REST surface, as the person of the page; without a booking before and after."""
    with client_of(calendar_lab) as client:

        def ask(method: str, path: str, **body: Any) -> Any:
            return ok(client.request(method, path, json=body or None))

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

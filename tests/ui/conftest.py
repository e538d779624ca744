"""A real JupyterLab and a real browser: one server a session, a fresh page a test. Collected last, because Playwright's
own event loop stays until the session ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, BrowserType, Page, expect

from tests.faults.scripted_rest import TOKEN
from tests.faults.scripted_rules import RulesLab
from tests.ui.calendar_page import Ask, booked, open_calendar
from tests.ui.jupyterlab import CHROMIUM_FLAGS, Notebooks, chromium, loaded, start_jupyterlab
from tests.ui.labs import client_of, demo_lab, ok

# As long as Playwright waits for what it clicks: a busy machine fails no test.
expect.set_options(timeout=30_000)


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
def kept_browser(
    browser_type: BrowserType,
    browser_type_launch_args: dict[str, Any],
    browser_context_args: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[BrowserContext]:
    """A browser that keeps what it compiled of JupyterLab in a folder: from its third page on, one loads with little
    more than half of the work."""
    folder = tmp_path_factory.mktemp("browser")
    kept = browser_type.launch_persistent_context(folder, **browser_type_launch_args, **browser_context_args)
    yield kept
    kept.close()


@pytest.fixture
def context(request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """The kept browser, with nothing in it of the tests before; one of its own for a test that is marked
    ``browser_context_args``, with or without any."""
    if request.node.get_closest_marker("browser_context_args") is not None:
        yield request.getfixturevalue("new_context")()
        return
    kept: BrowserContext = request.getfixturevalue("kept_browser")
    blank, *_ = kept.pages  # the one it was started with; without any the browser would end
    yield kept
    for page in kept.pages:
        if page is not blank:
            page.close()
    kept.clear_permissions()
    kept.clear_cookies()
    storage = kept.new_cdp_session(blank)
    storage.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
    storage.detach()


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

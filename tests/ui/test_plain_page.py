"""Jobs and widgets in a page that has nothing of JupyterLab: ipywidgets' own HTML manager and a real kernel, as VS Code
and dashboards have them; and outputs where there are no widgets at all, as in Colab until one switches them on."""

from __future__ import annotations

import re
import shutil
import sysconfig
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.ui.jupyterlab import ROOT, Notebooks
from tests.ui.labs import BELL, RABI, SLOW, client_of, ok, picture

pytestmark = [pytest.mark.ui, pytest.mark.slow]
HERE = Path(__file__).parent / "plain"
MODULES = ROOT / "labextension" / "node_modules"
SHARED = Path(sysconfig.get_path("data")) / "share" / "jupyter" / "nbextensions"
FILES = {
    "index.html": HERE / "index.html",
    "require.js": MODULES / "requirejs" / "require.js",
    "libembed-amd.js": MODULES / "@jupyter-widgets" / "html-manager" / "dist" / "libembed-amd.js",
    "anywidget.js": SHARED / "anywidget" / "index.js",
}
"""What such a page loads."""
CONNECT = "import qpi_jupyter; lab = qpi_jupyter.connect()"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is: on a server of its own."""
    folder = tmp_path_factory.mktemp("plain")
    for name, file in FILES.items():
        shutil.copy(file, folder / name)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def kernel(demo: tuple[Notebooks, int]) -> Iterator[str]:
    """The address of a kernel that the lab's server has started."""
    notebooks, _ = demo
    headers = {"Authorization": f"token {notebooks.token}"}
    with httpx.Client(base_url=notebooks.url, headers=headers, trust_env=False, timeout=60) as client:
        kernel = ok(client.post("/api/kernels", json={"name": "python3"}))["id"]
        yield f"{notebooks.url.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels?token={notebooks.token}"
        client.delete(f"/api/kernels/{kernel}")


def opened(page: Page, address: str, kernel: str, **options: str) -> list[str]:
    """The page with the kernel; what goes wrong in it."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}?{urlencode({'kernel': kernel, **options})}")
    page.wait_for_selector("body[data-ready]", state="attached")
    page.wait_for_function("() => channels.readyState === WebSocket.OPEN")
    return errors


def run(page: Page, code: str) -> Locator:
    """A cell that has run."""
    cells = page.locator("[data-cell]")
    cell = cells.nth(cells.count())
    page.evaluate("code => window.run(code)", code)
    expect(cell).to_have_attribute("data-status", "ok", timeout=SLOW)
    return cell


def test_the_widgets_need_nothing_of_jupyterlab(page: Page, address: str, kernel: str) -> None:
    errors = opened(page, address, kernel)
    assert page.evaluate("() => document.querySelector('[class*=jp-]') === null && !window.jupyterapp")
    run(page, f"{CONNECT}\nimport ipywidgets\nform = lab.submit_form({BELL!r}, qpu='sim-a', name='from the form')")
    cell = run(page, "ipywidgets.HBox([form, lab.telemetry_widget('sim-a')])")
    form = cell.get_by_role("form", name="Submit a job")
    form.get_by_label("Shots").fill("64")
    form.get_by_label("Shots").press("Enter")
    expect(form.get_by_role("status").first).to_contain_text("Submitted: from the form", timeout=SLOW)
    expect(cell.locator(".jp-QPI-TelemetryWidget .jp-QPI-ChartPlot").first).to_be_visible(timeout=SLOW)

    cell = run(page, "form.job.widget()")
    job = cell.locator(".jp-QPI-JobWidget")
    expect(job.get_by_text("Completed")).to_be_visible(timeout=SLOW)
    expect(job.get_by_role("list", name="Counts")).to_be_visible(timeout=SLOW)
    expect(job.get_by_text("64 shots")).to_be_visible()
    assert run(page, "form.job.status == 'completed' and form.value['shots']").inner_text() == "'64'"

    cell = run(page, f"theta = [0.1 * n for n in range(11)]\nlab.sweep({RABI!r}, theta=theta, qpu='sim-a').widget()")
    expect(cell.get_by_role("img", name=re.compile("over theta"))).to_be_visible(timeout=SLOW)

    cell = run(page, "calendar = lab.calendar('sim-a')\ncalendar")
    board = cell.locator(".jp-QPI-CalendarWidget")
    board.get_by_role("button", name="Book next free hour").click(timeout=SLOW)
    board.locator(".jp-QPI-Booking").first.dblclick(timeout=SLOW)
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    expect(run(page, "calendar.value.qpu")).to_have_text("'sim-a'")
    run(page, "for booking in lab.bookings('sim-a'): booking.delete()")
    expect(board.locator(".jp-QPI-Booking")).to_have_count(0, timeout=SLOW)
    book_next = board.get_by_role("button", name="Book next free hour")
    for theme, ground, brand in (
        ("vscode-light", "rgb(255, 255, 255)", "rgb(25, 118, 210)"),
        ("vscode-dark", "rgb(33, 33, 33)", "rgb(100, 181, 246)"),
    ):
        page.evaluate("theme => { document.body.className = theme }", theme)
        for widget in (".jp-QPI-JobWidget", ".jp-QPI-SubmitForm", ".jp-QPI-TelemetryWidget", ".jp-QPI-CalendarWidget"):
            expect(page.locator(widget).first).to_have_css("background-color", ground)
        expect(book_next).to_have_css("background-color", brand)
        page.set_viewport_size({"width": 1200, "height": 2400})
        picture(page, f"plain-page-{theme}")
    assert not errors


def test_without_widgets_the_kernel_keeps_the_pictures_right(
    page: Page, address: str, kernel: str, demo: tuple[Notebooks, int]
) -> None:
    errors = opened(page, address, kernel, widgets="no")
    run(page, f"%load_ext qpi_jupyter\n{CONNECT}")
    with client_of(demo[0]) as admin:
        ok(admin.patch("qpus/sim-b", json={"enabled": False}))
        try:
            handle = run(page, f"job = lab.submit({BELL!r}, qpu='sim-b', shots=50, name='bell')\njob")
            expect(handle).to_contain_text("Waiting", timeout=SLOW)
            magic = run(page, f"%%qpi_submit --qpu sim-b --shots 50 --name second\n{BELL}")
            expect(magic).to_contain_text("Waiting", timeout=SLOW)
            widget = run(page, "job.widget()")
            expect(widget).to_contain_text("Waiting", timeout=SLOW)
        finally:
            ok(admin.patch("qpus/sim-b", json={"enabled": True}))
    for cell in (handle, magic, widget):
        expect(cell).to_contain_text("Completed", timeout=SLOW)
        expect(cell.locator("table").get_by_role("row", name="11")).to_be_visible(timeout=SLOW)
    picture(page, "plain-page-without-widgets")
    assert not errors
